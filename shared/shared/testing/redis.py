"""Redis as Debian packages it, without persistence."""

import secrets
import shutil
import socket
import tempfile
from pathlib import Path

from shared.testing.processes import Process, free_port, program

PACKAGE = "redis-server"


class RedisServer:
    """A running server with a password."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self._binary = program("redis-server", package=PACKAGE)
        self._folder = Path(tempfile.mkdtemp(prefix="smartcourse-redis-"))
        self._process: Process | None = None
        self._configure()
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.host}:{self.port}/0"

    async def flush(self) -> None:
        """Remove everything that it holds."""
        from redis.asyncio import Redis  # not needed to run a server

        async with Redis.from_url(self.url) as client:
            await client.flushall()

    def start(self) -> None:
        """Start it, empty, on the same port as before."""
        self._process = Process([self._binary, str(self._folder / "redis.conf")], log=self._folder / "log")
        self._process.wait_until(self._answers)

    def stop(self) -> None:
        """Stop it; what it held is lost."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _configure(self) -> None:
        path = self._folder / "redis.conf"
        path.touch(0o600)
        path.write_text(
            f"bind {self.host}\nport {self.port}\nrequirepass {self.password}\n"
            f'dir {self._folder}\nsave ""\nappendonly no\n'
        )

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\n".encode())
                return connection.recv(64).startswith(b"+OK")
        except OSError:
            return False
