"""Makes what course-service needs in MongoDB before it can log in there."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr
from pymongo import AsyncMongoClient

from course_service.core.mongodb import DATABASE

USER = "course"
ROLES = [{"role": "readWrite", "db": DATABASE}]
MECHANISMS = ["SCRAM-SHA-256"]
TIMEOUT_SECONDS = 60


async def provision(admin_url: SecretStr, password: SecretStr) -> str:
    """Make the user `course`, or give it this password and these roles; return which of both was done.

    Waits up to a minute for the server. Raises `PyMongoError`.
    """
    timeout_ms = TIMEOUT_SECONDS * 1000
    async with AsyncMongoClient[dict[str, Any]](
        admin_url.get_secret_value(), appname="course-provision", serverSelectionTimeoutMS=timeout_ms
    ) as client:
        admin = client.get_database("admin")
        known = await admin.command("usersInfo", {"user": USER, "db": "admin"})
        command = "updateUser" if known["users"] else "createUser"
        await admin.command(command, USER, pwd=password.get_secret_value(), roles=ROLES, mechanisms=MECHANISMS)
    return "updated" if command == "updateUser" else "created"
