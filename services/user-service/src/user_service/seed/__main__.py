"""`python -m user_service.seed [--demo] [--learners M]`: ADMIN_EMAIL, ADMIN_PASSWORD: the administrator."""

import argparse
import asyncio
import sys

from shared.config.settings import load
from shared.database import Database
from shared.exceptions.base import UnavailableError
from shared.telemetry import configure_logging
from shared.utils.datetime import SystemClock
from user_service.config import SeedSettings
from user_service.events.producer import AccountProducer
from user_service.seed.accounts import AddressTakenError, Seeder
from user_service.services.account import AccountService


async def seed(settings: SeedSettings, *, with_demo: bool, learners: int) -> None:
    database = Database(settings, application_name="user-seed")
    try:
        accounts = AccountService(publisher=AccountProducer(), clock=SystemClock())
        seeder = Seeder(database=database, accounts=accounts)
        await seeder.ensure_admin(email=settings.admin_email, password=settings.admin_password)
        if with_demo:
            await seeder.ensure_demo_people()
        if learners:
            await seeder.ensure_load_learners(learners)
    finally:
        await database.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m user_service.seed", description=__doc__)
    parser.add_argument("--demo", action="store_true", help="also make the demo instructors and students")
    parser.add_argument(
        "--learners", type=int, default=0, metavar="M", help="also make so many students for load tests"
    )
    arguments = parser.parse_args()
    configure_logging("user-seed")
    try:
        asyncio.run(seed(load(SeedSettings), with_demo=arguments.demo, learners=arguments.learners))
    except (AddressTakenError, UnavailableError) as error:
        sys.exit(f"python -m user_service.seed: {error}")


if __name__ == "__main__":
    main()
