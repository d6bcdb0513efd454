"""Makes what course-service needs in MongoDB before it can log in there."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from course_service.core.mongodb import DATABASE

USER = "course"
USERS = (USER, f"{USER}_b")
"""The service logs in as one of them; the other is there only while a rotation of the password lasts."""
ROLES = [{"role": "readWrite", "db": DATABASE}]
MECHANISMS = ["SCRAM-SHA-256"]
TIMEOUT_SECONDS = 60


class UnknownUserError(ValueError):
    """The service's URL logs in as somebody else."""

    def __init__(self) -> None:
        super().__init__(f"MONGODB_URL must log in as {' or '.join(USERS)}, with a password: others are not made")


def passwords(url: SecretStr, spare: SecretStr | None) -> dict[str, str]:
    """Return each user's password, empty for one that is not to be.

    Raises `UnknownUserError`.
    """
    parts = urlsplit(url.get_secret_value())
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if user not in USERS or not password:
        raise UnknownUserError
    return {name: password if name == user else spare.get_secret_value() if spare else "" for name in USERS}


async def provision(admin_url: SecretStr, url: SecretStr, spare: SecretStr | None = None) -> dict[str, str]:
    """Give the user of `url` its password and roles, and the other one `spare`: without that it is removed.

    Returns what was done by user. Waits up to a minute for the server. Raises `PyMongoError`, `UnknownUserError`.
    """
    timeout_ms = TIMEOUT_SECONDS * 1000
    wanted = passwords(url, spare)
    async with AsyncMongoClient[dict[str, Any]](
        admin_url.get_secret_value(), appname="course-provision", serverSelectionTimeoutMS=timeout_ms
    ) as client:
        admin = client.get_database("admin")
        return {user: await _settle(admin, user, password) for user, password in wanted.items()}


async def _settle(admin: AsyncDatabase[dict[str, Any]], user: str, password: str) -> str:
    known = (await admin.command("usersInfo", {"user": user, "db": "admin"}))["users"]
    if not password:
        if known:
            await admin.command("dropUser", user)
        return "removed" if known else "absent"
    command = "updateUser" if known else "createUser"
    await admin.command(command, user, pwd=password, roles=ROLES, mechanisms=MECHANISMS)
    return "updated" if known else "created"
