"""SecantusDB, which speaks MongoDB's wire protocol, in MongoDB's place."""

import secrets
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.testing.processes import ServerError
from shared.testing.server import Server

DATABASE = "smartcourse"


class MongoServer(Server):
    """A running server with the administrator ``root`` and the user ``course`` (readWrite on ``smartcourse``).

    Acknowledged writes survive ``kill``.
    """

    name = "mongodb"
    close_signal = signal.SIGKILL

    def __init__(self) -> None:
        self.password = secrets.token_hex(16)
        self.root_password = secrets.token_hex(16)
        super().__init__()

    @property
    def admin_url(self) -> str:
        return self._url("root", self.root_password, "admin")

    @property
    def url(self) -> str:
        """For ``course``, the user of course-service."""
        return self._url("course", self.password, DATABASE)

    async def drop_database(self, name: str = DATABASE) -> None:
        """Remove a database with all that it holds."""
        from pymongo import AsyncMongoClient  # only members that use MongoDB install it

        async with AsyncMongoClient[dict[str, Any]](self.admin_url) as client:
            await client.drop_database(name)

    def _set_up(self) -> None:
        """It has no localhost exception: users are made while it asks for no password."""
        from pymongo import MongoClient

        self._run(self._command()[:-1])
        with MongoClient[dict[str, Any]](self.host, self.port) as client:
            client.admin.command("createUser", "root", pwd=self.root_password, roles=["root"])
            role = {"role": "readWrite", "db": DATABASE}
            client.admin.command("createUser", "course", pwd=self.password, roles=[role])
        self.kill()
        self.start()

    def _command(self) -> Sequence[str]:
        address = ["--host", self.host, "--port", str(self.port), "--log-level", "WARNING"]
        storage = ["--sync-on-commit", "--cache-size", "128M", "--storage-path", str(self._folder / "data")]
        return [_binary(), *address, *storage, "--auth"]

    def _answers(self) -> bool:
        from pymongo import MongoClient
        from pymongo.errors import PyMongoError

        try:
            with MongoClient[dict[str, Any]](self.host, self.port, serverSelectionTimeoutMS=500) as client:
                client.admin.command("hello")
        except PyMongoError:
            return False
        return True

    def _url(self, user: str, password: str, database: str) -> str:
        return f"mongodb://{user}:{password}@{self.host}:{self.port}/{database}?authSource=admin"


def _binary() -> str:
    found = shutil.which("secantusd-py", path=str(Path(sys.executable).parent)) or shutil.which("secantusd-py")
    if found is None:
        raise ServerError("secantusd-py is not installed and these tests run it: pip install secantusdb")
    return found
