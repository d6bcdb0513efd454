"""The command line of a service's migrations."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from shared.config.settings import DatabaseSettings, load
from shared.migrations.history import MigrationError, Migrations
from shared.telemetry import configure_logging


def main(migrations: Migrations, argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process's exit status."""
    arguments = _parser(migrations).parse_args(argv)
    if arguments.command == "heads":
        sys.stdout.writelines(f"{revision}\n" for revision in migrations.heads())
        return 0
    configure_logging(f"{migrations.service}-migrations")
    url = load(DatabaseSettings).database_url
    try:
        if arguments.command == "upgrade":
            asyncio.run(migrations.upgrade(url))
        else:
            asyncio.run(migrations.wait(url, timeout_seconds=arguments.timeout))
    except MigrationError as error:
        sys.stderr.write(f"{migrations.package} migrations {arguments.command}: {error}\n")
        return 1
    return 0


def _parser(migrations: Migrations) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {migrations.package}.migrations",
        description=f"The database schema of {migrations.service}. DATABASE_URL says where.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("upgrade", help="bring the database to this image's revision")
    wait = commands.add_parser("wait", help="return once the database is at this image's revision or a newer one")
    wait.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS")
    commands.add_parser("heads", help="print this image's newest revision")
    return parser
