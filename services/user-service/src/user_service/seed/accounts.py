"""Makes the accounts that are missing; what is there stays as it is, passwords included."""

import secrets

import structlog
from pydantic import SecretStr

from shared.database import Database
from shared.utils.hashing import hash_password
from user_service.repositories.instructor import InstructorRepository
from user_service.repositories.user import UserRepository
from user_service.schemas.user import UserRole
from user_service.seed.people import DEMO_PEOPLE, LOAD_DOMAIN, DemoPerson
from user_service.services.account import AccountService

ADMINISTRATOR_NAME = "Administrator"
BATCH = 500
"""Accounts of one transaction."""

_log = structlog.get_logger(__name__)


class AddressTakenError(Exception):
    """The administrator's address belongs to somebody who is not an administrator, and there is no other one."""

    def __init__(self) -> None:
        super().__init__(
            "ADMIN_EMAIL belongs to an account that is not an active administrator, and there is no other "
            "administrator. Set ADMIN_EMAIL to another address."
        )


class Seeder:
    """Running it again, also at the same time, changes nothing."""

    def __init__(self, *, database: Database, accounts: AccountService) -> None:
        self._database = database
        self._accounts = accounts

    async def ensure_admin(self, *, email: str, password: SecretStr) -> bool:
        """Make the administrator unless the address has an account; returns whether it did.

        Raises AddressTakenError.
        """
        async with self._database.read() as reading:
            if await UserRepository(reading).find_by_email(email) is not None:
                return await self._settle_for_existing(UserRepository(reading))
        hashed_password = await hash_password(password)
        async with self._database.begin() as transaction:
            admin = await self._accounts.create(
                transaction,
                email=email,
                hashed_password=hashed_password,
                full_name=ADMINISTRATOR_NAME,
                role=UserRole.ADMIN,
            )
            if admin is None:
                return await self._settle_for_existing(UserRepository(transaction))
        _log.info("administrator_made", user_id=admin.id)
        return True

    async def ensure_demo_people(self) -> int:
        """Make the demo accounts that are missing; returns how many."""
        made = [await self._ensure(person) for person in DEMO_PEOPLE]
        _log.info("demo_people_ensured", made=sum(made))
        return sum(made)

    async def ensure_load_learners(self, count: int) -> int:
        """Make students for load tests up to that number, none of whom can log in; returns how many were missing."""
        hashed_password = await hash_password(secrets.token_urlsafe(48))
        made = 0
        for start in range(1, count + 1, BATCH):
            async with self._database.begin() as transaction:
                for number in range(start, min(start + BATCH, count + 1)):
                    user = await self._accounts.create(
                        transaction,
                        email=f"learner-{number:07}@{LOAD_DOMAIN}",
                        hashed_password=hashed_password,
                        full_name=f"Learner {number}",
                        role=UserRole.STUDENT,
                    )
                    made += user is not None
        _log.info("load_learners_ensured", made=made)
        return made

    async def _settle_for_existing(self, users: UserRepository) -> bool:
        # Nobody is made an administrator because of the address they chose at registration.
        if not await users.has_active_admin():
            raise AddressTakenError
        return False

    async def _ensure(self, person: DemoPerson) -> bool:
        async with self._database.read() as reading:
            if await UserRepository(reading).find_by_email(person.email) is not None:
                return False
        hashed_password = await hash_password(secrets.token_urlsafe(48))
        async with self._database.begin() as transaction:
            user = await self._accounts.create(
                transaction,
                email=person.email,
                hashed_password=hashed_password,
                full_name=person.full_name,
                role=person.role,
            )
            if user is not None and person.profile is not None:
                await InstructorRepository(transaction).put(user.id, person.profile)
        return user is not None
