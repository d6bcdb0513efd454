"""SecantusDB, which speaks MongoDB's wire protocol, in MongoDB's place."""

import secrets
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from shared.testing.processes import Process, ServerError, free_port

DATABASE = "smartcourse"


class MongoServer:
    """A running server with the administrator ``root`` and the user ``course`` (readWrite on ``smartcourse``)."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.root_password = secrets.token_hex(16)
        self._folder = Path(tempfile.mkdtemp(prefix="smartcourse-mongodb-"))
        self._process: Process | None = None
        try:
            self._make_users()
            self.start()
        except BaseException:
            self.close()
            raise

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

    def start(self) -> None:
        """Start it, on the same port and data as before."""
        self._start("--auth")

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def kill(self) -> None:
        """Stop it without warning; acknowledged writes survive that."""
        if self._process is not None:
            self._process.stop(signal.SIGKILL)
            self._process = None

    def close(self) -> None:
        """Stop it for good and remove its data, which needs no orderly end."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _make_users(self) -> None:
        """It has no localhost exception: users are made while it asks for no password."""
        from pymongo import MongoClient

        self._start()
        with MongoClient[dict[str, Any]](self.host, self.port) as client:
            client.admin.command("createUser", "root", pwd=self.root_password, roles=["root"])
            role = {"role": "readWrite", "db": DATABASE}
            client.admin.command("createUser", "course", pwd=self.password, roles=[role])
        self.kill()

    def _start(self, *options: str) -> None:
        command = [_binary(), "--host", self.host, "--port", str(self.port), "--sync-on-commit", "--cache-size", "128M"]
        storage = ["--storage-path", str(self._folder / "data"), "--log-level", "WARNING"]
        self._process = Process([*command, *storage, *options], log=self._folder / "log")
        self._process.wait_until(self._answers)

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
