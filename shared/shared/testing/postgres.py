"""PostgreSQL 15 as Debian packages it, without durability: a crash of the machine may lose what tests wrote."""

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from shared.migrations import Migrations
from shared.testing.processes import ServerError, program
from shared.testing.server import Server

SERVICES = ("user", "course", "notification")
INIT_SQL = Path(__file__).resolve().parents[3] / "infrastructure" / "postgres" / "init.sql"
PACKAGE = "postgresql-15"
ADMIN = "postgres"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_min_messages": "warning",
}


class PostgresServer(Server):
    """A running server; ``infrastructure/postgres/init.sql`` made its database ``smartcourse`` and all roles."""

    name = "postgres"
    stop_signal = signal.SIGINT  # at once, ending every connection

    def __init__(self) -> None:
        self.database = "smartcourse"
        self.passwords = {service: secrets.token_hex(16) for service in SERVICES}
        self._admin_password = secrets.token_hex(16)
        self._databases = 0
        super().__init__()

    @property
    def admin_url(self) -> str:
        """For the superuser, connected to ``smartcourse``."""
        return self._url(ADMIN, self._admin_password, self.database)

    def url(self, service: str, *, database: str | None = None) -> str:
        """For the login role ``<service>_a``."""
        return self._url(f"{service}_a", self.passwords[service], database or self.database)

    async def fresh_database(self, *services: str) -> "TestDatabase":
        """Make another database with the same roles, migrated by ``services`` in this order (user goes first)."""
        self._databases += 1
        name = f"smartcourse_{self._databases}_{secrets.token_hex(3)}"
        await asyncio.to_thread(self.provision, name)
        database = TestDatabase(self, name)
        for service in services:
            await Migrations(f"{service}_service", service).upgrade(database.url(service), "heads")
        return database

    def provision(self, database: str) -> None:
        """Run ``init.sql`` for ``database``."""
        environment = os.environ | {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": ADMIN,
            "PGPASSWORD": self._admin_password,
            "SMARTCOURSE_DATABASE": database,
            **{f"{service.upper()}_A_PASSWORD": password for service, password in self.passwords.items()},
        }
        _run([_binary("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", str(INIT_SQL)], environment)

    def kill(self) -> None:
        """End it as a crash does: the next start recovers from the log.

        By SIGQUIT, which takes the backends along. SIGKILL would leave them, and a start beside them is refused.
        """
        self._end(signal.SIGQUIT)

    def _set_up(self) -> None:
        self._initialise()
        self.start()
        self.provision(self.database)

    def _command(self) -> Sequence[str]:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        return [*_as_postgres(), _binary("postgres"), "-D", str(self._folder / "data"), "-p", str(self.port), *settings]

    def _initialise(self) -> None:
        password_file = self._folder / "password"
        password_file.write_text(self._admin_password)
        for path in (self._folder, password_file):
            path.chmod(0o700)
            if _as_postgres():
                shutil.chown(path, "postgres", "postgres")
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        _run(
            [*_as_postgres(), _binary("initdb"), "-D", str(self._folder / "data"), "-U", ADMIN,
             f"--pwfile={password_file}", *options],
        )  # fmt: skip

    def _answers(self) -> bool:
        command = [_binary("pg_isready"), "-q", "-h", self.host, "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - PostgreSQL's own tool

    def _url(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{password}@{self.host}:{self.port}/{database}"


class TestDatabase:
    """A database of one member's tests."""

    __test__ = False  # not a test case

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.server = server
        self.name = name

    @property
    def admin_url(self) -> str:
        """For the superuser."""
        return self.server.admin_url.rpartition("/")[0] + f"/{self.name}"

    def url(self, service: str) -> str:
        """For the login role ``<service>_a``."""
        return self.server.url(service, database=self.name)

    async def truncate(self) -> None:
        """Empty every table but those of migrations, and begin ids at 1 again."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            tables = await connection.fetchval(
                "SELECT string_agg(format('%I', tablename), ', ') FROM pg_tables"
                " WHERE schemaname = 'public' AND tablename NOT LIKE '%\\_alembic\\_version'"
            )
            if tables:
                await connection.execute("SET lock_timeout = '20s'")
                await connection.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        finally:
            await connection.close()


def _binary(name: str) -> str:
    return program(f"/usr/lib/postgresql/15/bin/{name}", name, package=PACKAGE)


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to run as root: put before a command, this changes to the user that the package made."""
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        raise ServerError(f"there is no user postgres: apt-get install {PACKAGE}") from None
    setpriv = program("setpriv", package="util-linux")
    return [setpriv, "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603 - PostgreSQL's own tools
        command, env=environment, check=False, text=True, capture_output=True, cwd="/"
    )
    if done.returncode:
        raise ServerError(f"{Path(command[-1]).name}: {done.stderr or done.stdout}")
