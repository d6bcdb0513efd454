"""The command line of a service's migrations."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence

from pydantic import SecretStr

from shared.config.settings import DatabaseSettings, load
from shared.migrations.history import MigrationError, Migrations
from shared.telemetry import configure_logging

PRINTED: dict[str, Callable[[Migrations], Sequence[str]]] = {
    "heads": Migrations.heads,
    "required": lambda migrations: [migrations.required()],
}
"""What needs no database."""


def main(migrations: Migrations, argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit status."""
    arguments = _parser(migrations).parse_args(argv)
    try:
        if arguments.command in PRINTED:
            sys.stdout.writelines(f"{revision}\n" for revision in PRINTED[arguments.command](migrations))
        else:
            configure_logging(f"{migrations.service}-migrations")
            asyncio.run(_run(migrations, arguments, load(DatabaseSettings).database_url))
    except MigrationError as error:
        sys.stderr.write(f"{migrations.package} migrations {arguments.command}: {error}\n")
        return 1
    return 0


async def _run(migrations: Migrations, arguments: argparse.Namespace, url: SecretStr) -> None:
    match arguments.command:
        case "upgrade":
            await migrations.upgrade(url, "heads" if arguments.all else None)
        case "contract":
            await migrations.contract(url)
        case "wait":
            await migrations.wait(url, timeout_seconds=arguments.timeout)


def _parser(migrations: Migrations) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {migrations.package}.migrations",
        description=f"The database schema of {migrations.service}. DATABASE_URL says where.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    upgrade = commands.add_parser("upgrade", help="bring the database to the revision that this image's code needs")
    upgrade.add_argument("--all", action="store_true", help="contract too: where no older code runs beside this")
    commands.add_parser("contract", help="remove what only older code needs; it cannot be undone")
    wait = commands.add_parser("wait", help="return once the database is at that revision or further on")
    wait.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS")
    commands.add_parser("required", help="print the revision that this image's code needs")
    commands.add_parser("heads", help="print this image's newest revision")
    return parser
