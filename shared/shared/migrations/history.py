"""One service's revisions: those of this image, and those of a database."""

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import asyncpg
import structlog
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util.exc import CommandError
from pydantic import SecretStr
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from shared.config.settings import sqlalchemy_url

CONNECT_TIMEOUT_SECONDS = 5.0
POLL_SECONDS = 1.0
LOCK_TIMEOUT = "30s"
"""A migration gives up rather than stand in front of everybody while it waits for a table's lock; it is run again."""

DatabaseAddress = str | SecretStr | URL

_log = structlog.get_logger(__name__)


class MigrationError(Exception):
    """The database cannot be brought, or did not come, to this image's revision."""


class Phase(StrEnum):
    """When a revision runs: before the code that needs it, or once no code is left that needs what it removes."""

    EXPAND = "expand"
    CONTRACT = "contract"


class Migrations:
    """The history of ``service`` (``user``), whose revisions are in ``package`` (``user_service``)."""

    def __init__(self, package: str, service: str) -> None:
        self.package = package
        self.service = service
        self.owner = f"{service}_owner"
        self.version_table = f"{service}_alembic_version"
        self._script = ScriptDirectory(str(Path(__file__).parent), version_locations=[str(_versions(package))])

    def heads(self) -> tuple[str, ...]:
        """This image's newest revision, those that contract included; of a history that branches, several."""
        return tuple(sorted(self._script.get_heads()))

    def required(self) -> str:
        """The revision that this image's code needs: the head but for the contract revisions at the end."""
        return self._own()[-1]

    def revisions(self) -> frozenset[str]:
        """Every revision that this image knows."""
        return frozenset(each.revision for each in self._script.walk_revisions())

    async def upgrade(self, url: DatabaseAddress, target: str | None = None) -> None:
        """Bring the database to ``target``; unset, to what this image's code needs, and never back from further on.

        A database that is at a revision this image does not know was migrated by a newer one: it is left alone, for
        a schema that was expanded serves the version before too. Raises MigrationError.
        """
        async with self._alone(url) as connection:
            await connection.run_sync(self._upgrade, target or self.required())

    async def contract(self, url: DatabaseAddress) -> None:
        """Remove what only the release before needs: bring the database from what this image's code needs to the head.

        To be called once no older code runs: it cannot be undone. Raises MigrationError, also where the database is
        not yet at the revision that this image's code needs.
        """
        async with self._alone(url) as connection:
            applied = frozenset(await connection.run_sync(self._applied))
            if not self.serves(applied):
                raise MigrationError(
                    f"the schema of {self.service} cannot be contracted: the database is at {_listed(applied)} and not"
                    f" yet at {self.required()}. Run `upgrade`, and replace every older process, first."
                )
            await connection.run_sync(self._upgrade, "heads")

    async def current(self, url: DatabaseAddress) -> frozenset[str]:
        """The revisions that the database is at; empty before the first migration. Raises MigrationError."""
        async with self._connected(url) as connection:
            return frozenset(await connection.run_sync(self._applied))

    async def wait(self, url: DatabaseAddress, *, timeout_seconds: float = 300.0) -> None:
        """Return once the database is at the revision that this image's code needs, or further on.

        Raises MigrationError, saying what was found last, after ``timeout_seconds``.
        """
        found = "nothing was tried"
        try:
            async with asyncio.timeout(timeout_seconds):
                while True:
                    try:
                        applied = await self.current(url)
                    except MigrationError as error:
                        found = str(error)
                    else:
                        if self.serves(applied):
                            return
                        found = f"the database is at {_listed(applied)}"
                    _log.info("waiting for the schema", service=self.service, expected=self.required(), found=found)
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise MigrationError(
                f"the schema of {self.service} did not reach {self.required()} within {timeout_seconds:g} s: "
                f"{found}. Look at the migration job."
            ) from None

    def serves(self, applied: frozenset[str]) -> bool:
        """Whether this image can work on a database that is at ``applied``."""
        return bool(applied & frozenset(self._own())) or bool(applied - self.revisions())

    async def differences(self, url: DatabaseAddress, metadata: MetaData) -> list[Any]:
        """What Alembic would still change to make the service's own tables what ``metadata`` declares."""

        def compare(connection: Connection) -> list[Any]:
            def is_own(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
                return kind != "table" or name in metadata.tables

            context = MigrationContext.configure(
                connection,
                opts={
                    "version_table": self.version_table,
                    "include_object": is_own,
                    "compare_type": True,
                    "compare_server_default": False,
                },
            )
            return list(compare_metadata(context, metadata))

        async with self._connected(url) as connection:
            await connection.execute(text(f'SET ROLE "{self.owner}"'))
            return await connection.run_sync(compare)

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the command line of ``shared.migrations.commands``; returns the exit status."""
        from shared.migrations.commands import main  # which itself needs this class

        return main(self, argv)

    def _own(self) -> list[str]:
        """The revisions that this image's code runs on: from the head, through what contracts, to what it needs.

        Raises MigrationError.
        """
        if len(self.heads()) != 1:
            raise MigrationError(f"{self.package} must have one newest revision, and has {_listed(self.heads())}")
        found: list[str] = []
        for script in self._script.walk_revisions():
            found.append(script.revision)
            if _phase(script) is Phase.EXPAND:
                return found
        raise MigrationError(f"{self.package} has no revision that expands: its first must")

    def _applied(self, connection: Connection) -> Sequence[str]:
        context = MigrationContext.configure(connection, opts={"version_table": self.version_table})
        return context.get_current_heads()

    def _upgrade(self, connection: Connection, target: str) -> None:
        applied = frozenset(self._applied(connection))
        connection.commit()
        unknown = applied - self.revisions()
        if unknown:
            _log.info("the database is newer than this image", service=self.service, found=sorted(unknown))
            return
        self._run(connection, target, lambda revision, _context: self._steps(revision, target))
        _log.info("migrated", service=self.service, before=sorted(applied), after=sorted(self._applied(connection)))

    def _steps(self, revision: Any, target: str) -> Any:
        return self._script._upgrade_revs(target, revision)  # noqa: SLF001 - what Alembic's own `upgrade` command calls

    def _run(self, connection: Connection, target: str, steps: Callable[[Any, Any], Any]) -> None:
        environment = EnvironmentContext(Config(), self._script, fn=steps, destination_rev=target)
        with environment:
            environment.configure(
                connection=connection, version_table=self.version_table, transaction_per_migration=True
            )
            with environment.begin_transaction():
                environment.run_migrations()

    @asynccontextmanager
    async def _alone(self, url: DatabaseAddress) -> AsyncIterator[AsyncConnection]:
        """A connection of the tables' owner that no other migration of this service has at the same time."""
        async with self._connected(url) as connection:
            await connection.execute(text(f'SET ROLE "{self.owner}"'))
            await connection.execute(text("SELECT pg_advisory_lock(hashtext(:name))"), {"name": self.version_table})
            await connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            await connection.commit()
            yield connection
            await connection.commit()

    @asynccontextmanager
    async def _connected(self, url: DatabaseAddress) -> AsyncIterator[AsyncConnection]:
        settings = {"application_name": f"{self.service}-migrations", "timezone": "UTC"}
        engine = create_async_engine(
            sqlalchemy_url(url),
            poolclass=NullPool,
            connect_args={"timeout": CONNECT_TIMEOUT_SECONDS, "server_settings": settings},
        )
        try:
            async with engine.connect() as connection:
                yield connection
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise MigrationError(f"no connection to the database: {error or type(error).__name__}") from error
        except DBAPIError as error:
            raise MigrationError(str(error.orig)) from error
        except CommandError as error:
            raise MigrationError(str(error)) from error
        finally:
            await engine.dispose()


def _versions(package: str) -> Path:
    """The folder of a package's revisions; the package is found, not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MigrationError(f"the package {package} is not installed")
    folder = Path(next(iter(spec.submodule_search_locations))) / "migrations" / "versions"
    if not folder.is_dir():
        raise MigrationError(f"{package} has no folder migrations/versions")
    return folder


def _phase(script: Script) -> Phase:
    """What a revision's module says it does: ``phase = "contract"``; ``expand`` where it says nothing."""
    declared = getattr(script.module, "phase", Phase.EXPAND)
    try:
        return Phase(declared)
    except ValueError:
        phases = " or ".join(Phase)
        raise MigrationError(f"revision {script.revision} has phase = {declared!r}: say {phases}") from None


def _listed(revisions: Sequence[str] | frozenset[str]) -> str:
    return ", ".join(sorted(revisions)) or "no revision"
