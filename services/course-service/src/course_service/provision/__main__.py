"""`python -m course_service.provision`: safe to repeat; it also sets a changed password."""

from __future__ import annotations

import asyncio
import sys

from pymongo.errors import PyMongoError

from course_service.config import ProvisionSettings
from course_service.provision import UnknownUserError, provision
from shared.config.settings import load


def main() -> int:
    """Return the process's exit status."""
    settings = load(ProvisionSettings)
    try:
        done = asyncio.run(
            provision(settings.mongodb_admin_url, settings.mongodb_url, settings.course_mongodb_spare_password)
        )
    except UnknownUserError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    except PyMongoError as error:
        sys.stderr.write(f"The MongoDB user could not be made: {error}. Check MONGODB_ADMIN_URL.\n")
        return 1
    for user, what in done.items():
        sys.stderr.write(f"MongoDB user {user} {what}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
