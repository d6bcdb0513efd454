"""PostgreSQL: a dump and what it holds, of one snapshot; and the way back, in one transaction."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import asyncpg

from smartcourse_backup.manifest import MODULUS, BrokenBackupError, Content

DUMP = "postgres.dump"
PROGRAMS = Path("/usr/lib/postgresql/15/bin")
OPTIONS = {
    "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT", "options": "PGOPTIONS", "channel_binding": "PGCHANNELBINDING",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}  # fmt: skip
"""Options of a URL, by the variable that libpq's programs read them from: an argument would show the password."""
TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' ORDER BY 1, 2
"""
CONTENT = """
    SELECT count(*) AS count, coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint::numeric), 0) AS total
      FROM {table} t
"""
PRESENTATION = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'"
EMPTY = """
DO $empty$
DECLARE schema text;
BEGIN
    FOR schema IN SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', schema);
    END LOOP;
END
$empty$;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
GRANT USAGE ON SCHEMA public TO PUBLIC;
"""
"""As a new database is: the dump says what was changed of that."""
LOCK_TIMEOUT_MILLISECONDS = 30_000
START_TIMEOUT_SECONDS = 4 * 3600
"""A server that recovers replays its log first."""
DATA = "data"


class PostgresError(Exception):
    """A program of PostgreSQL ended with an error; the message is its own."""


class Server:
    """A server and one of its databases, as its programs are told of them: by environment variables."""

    def __init__(self, url: str, database: str) -> None:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        if unknown := query.keys() - OPTIONS.keys():
            raise ValueError(f"the URL of PostgreSQL has options that are not known: {', '.join(sorted(unknown))}")
        self._url = parts._replace(path=f"/{database}").geturl()
        self.database = database
        self.environment = {
            "PGHOST": parts.hostname or "localhost",
            "PGPORT": str(parts.port or 5432),
            "PGUSER": unquote(parts.username or "postgres"),
            "PGPASSWORD": unquote(parts.password or ""),
            "PGDATABASE": database,
            "PGAPPNAME": "smartcourse-backup",
            **{OPTIONS[name]: value for name, value in query.items()},
        }

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self._url, timeout=30)
        try:
            await connection.execute(PRESENTATION)
            yield connection
        finally:
            await connection.close()


class ScratchServer(Server):
    """A server of our own, reached through a socket."""

    def __init__(self, folder: Path, database: str = "postgres") -> None:
        super().__init__("postgresql://postgres@localhost/postgres?options=-csynchronous_commit%3Doff", database)
        self.environment |= {"PGHOST": str(folder), "PGPASSWORD": ""}
        self._folder = folder

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(host=str(self._folder), user="postgres", database=self.database, timeout=30)
        try:
            await connection.execute(PRESENTATION)
            yield connection
        finally:
            await connection.close()


def program(name: str) -> str:
    """Return one of PostgreSQL's programs, of the server's major version."""
    found = PROGRAMS / name
    return str(found) if found.exists() else name


async def run(*command: str, environment: dict[str, str], cwd: Path | None = None) -> str:
    """Run a program and return what it printed.

    Raises:
        PostgresError: it failed.
    """
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | environment, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, cwd=cwd
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode:
        text = errors.decode(errors="replace").strip() or output.decode(errors="replace").strip()
        raise PostgresError(f"{Path(command[0]).name} failed: {text[-1500:]}")
    return output.decode(errors="replace")


async def contents(connection: asyncpg.Connection) -> dict[str, Content]:
    """Return what every table holds."""
    found = {}
    for schema, table in await connection.fetch(TABLES):
        quoted = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table))
        row = await connection.fetchrow(CONTENT.format(table=quoted), timeout=None)
        found[f"{schema}.{table}"] = Content(count=row["count"], checksum=f"{int(row['total']) % MODULUS:016x}")
    return found


async def dump(server: Server, folder: Path) -> dict[str, Content]:
    """Write the database to `folder` and return what the dump holds; both are of one moment, and hold no write up."""
    async with server.connect() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
        # Not compressed: the repository does that, and finds what it has already.
        await run(
            program("pg_dump"), "--format=custom", "--compress=0", f"--snapshot={snapshot}",
            "--lock-wait-timeout=60s", f"--file={folder / DUMP}", environment=server.environment,
        )  # fmt: skip
        return await contents(connection)


async def restore(server: Server, folder: Path) -> None:
    """Put the dump in the place of all that the database holds: all of it, or nothing at all."""
    script = folder / "restore.sql"
    head = f"SET lock_timeout = {LOCK_TIMEOUT_MILLISECONDS};\n{EMPTY}"
    await run(program("pg_restore"), f"--file={script}", str(folder / DUMP), environment={})
    async with server.connect() as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    empty = folder / "empty.sql"
    empty.write_text(head, encoding="utf-8")
    await run(
        program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction",
        "--output=/dev/null", f"--file={empty}", f"--file={script}", environment=server.environment,
    )  # fmt: skip
    script.unlink()
    async with server.connect() as connection:
        await connection.execute("ANALYZE", timeout=None)


async def restored(server: Server) -> dict[str, Content]:
    """Return what the database holds now."""
    async with server.connect() as connection:
        return await contents(connection)


async def try_out(folder: Path, scratch: Path) -> dict[str, Content]:
    """Restore the dump into a server made for it, and return what that holds then.

    Raises:
        BrokenBackupError: the dump cannot be restored.
    """
    async with scratch_server(scratch) as server:
        try:
            await run(
                program("pg_restore"), "--dbname=postgres", "--exit-on-error", "--no-owner", "--no-privileges",
                str(folder / DUMP), environment=server.environment,
            )  # fmt: skip
        except PostgresError as error:
            raise BrokenBackupError(f"PostgreSQL's dump cannot be restored: {error}") from error
        return await restored(server)


@contextlib.asynccontextmanager
async def scratch_server(scratch: Path) -> AsyncIterator[ScratchServer]:
    """Run an empty server in `scratch` for a while."""
    home = new_home(scratch)
    await run(
        *as_postgres(home), program("initdb"), f"--pgdata={home / DATA}", "--username=postgres", "--auth=trust",
        "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions", environment={}, cwd=home,
    )  # fmt: skip
    async with running(home, {"full_page_writes": "off"}):
        yield ScratchServer(home)


def new_home(scratch: Path) -> Path:
    """Make the empty folder of a server of our own."""
    home = scratch / "pg"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    return home


@contextlib.asynccontextmanager
async def running(home: Path, settings: dict[str, str]) -> AsyncIterator[None]:
    """Run the server whose data is in `home`, reached through a socket there; all of it is gone afterwards.

    Raises:
        PostgresError: it does not start; the message ends with what it said.
    """
    prefix, data, log = as_postgres(home), home / DATA, home / "log"
    chosen = {"listen_addresses": "", "unix_socket_directories": str(home), "fsync": "off", **settings}
    options = " ".join(f"-c {name}='{value}'" for name, value in chosen.items())
    try:
        await run(
            *prefix, program("pg_ctl"), "start", "--wait", f"--timeout={START_TIMEOUT_SECONDS}", f"--pgdata={data}",
            f"--log={log}", f"--options={options}", environment={}, cwd=home,
        )  # fmt: skip
        await answering(home)
        yield
    except PostgresError as error:
        said = log.read_text(errors="replace")[-1000:] if log.exists() else ""
        raise PostgresError(f"{error}: {said}") from error
    finally:
        with contextlib.suppress(PostgresError):  # it has stopped by itself
            await run(*prefix, program("pg_ctl"), "stop", f"--pgdata={data}", "--mode=immediate", environment={},
                      cwd=home)  # fmt: skip
        shutil.rmtree(home, ignore_errors=True)


async def answering(home: Path) -> None:
    """Wait until a server takes connections: pg_ctl does not wait for one that recovers.

    Raises:
        PostgresError: it ended, or takes too long.
    """
    environment = {"PGHOST": str(home), "PGUSER": "postgres"}
    status = [*as_postgres(home), program("pg_ctl"), "status", f"--pgdata={home / DATA}"]
    for _ in range(START_TIMEOUT_SECONDS):
        with contextlib.suppress(PostgresError):
            await run(program("pg_isready"), "--quiet", environment=environment)
            return
        await run(*status, environment={}, cwd=home)
        await asyncio.sleep(1)
    raise PostgresError(f"the server did not recover within {START_TIMEOUT_SECONDS} s")


def as_postgres(home: Path) -> list[str]:
    """Return what makes root the user postgres: the server refuses to run as root. Others need nothing."""
    if os.geteuid() != 0:
        return []
    owner = pwd.getpwnam("postgres")
    home.parent.chmod(0o711)
    os.chown(home, owner.pw_uid, owner.pw_gid)
    return ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--"]


def give(home: Path) -> None:
    """Make all that is in a server's folder the user's that it runs as."""
    if os.geteuid() != 0:
        return
    owner = pwd.getpwnam("postgres")
    for path in home.rglob("*"):
        os.chown(path, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
