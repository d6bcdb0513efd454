"""Redis as Debian packages it, without persistence."""

import secrets
import socket
from collections.abc import Sequence

from shared.testing.processes import program
from shared.testing.server import Server

PACKAGE = "redis-server"


class RedisServer(Server):
    """A running server whose user may do what a platform's services may: all but administrate.

    It comes back empty from every stop.
    """

    name = "redis"

    def __init__(self) -> None:
        self.password = secrets.token_hex(16)
        self._binary = program("redis-server", package=PACKAGE)
        super().__init__()

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.host}:{self.port}/0"

    @property
    def admin_url(self) -> str:
        """For who may administrate, too."""
        return self.url.replace(":" + self.password, "admin:" + self.password)

    async def flush(self) -> None:
        """Remove everything that it holds."""
        from redis.asyncio import Redis  # not needed to run a server

        async with Redis.from_url(self.url) as client:
            await client.flushall()

    def _set_up(self) -> None:
        path = self._folder / "redis.conf"
        path.touch(0o600)
        path.write_text(
            f"bind {self.host}\nport {self.port}\n"
            f"user default reset on >{self.password} ~* &* +@all -@admin\n"
            f"user admin reset on >{self.password} ~* &* +@all\n"
            f'dir {self._folder}\nsave ""\nappendonly no\n'
        )
        self.start()

    def _command(self) -> Sequence[str]:
        return [self._binary, str(self._folder / "redis.conf")]

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\n".encode())
                return connection.recv(64).startswith(b"+OK")
        except OSError:
            return False
