"""`python -m course_service.provision`: safe to repeat; it also sets a changed password."""

from __future__ import annotations

import asyncio
import sys

from pymongo.errors import PyMongoError

from course_service.config import ProvisionSettings
from course_service.provision import USER, provision
from shared.config.settings import load


def main() -> int:
    """Return the process's exit status."""
    settings = load(ProvisionSettings)
    try:
        done = asyncio.run(provision(settings.mongodb_admin_url, settings.course_mongodb_password))
    except PyMongoError as error:
        sys.stderr.write(f"The MongoDB user {USER} could not be made: {error}. Check MONGODB_ADMIN_URL.\n")
        return 1
    sys.stderr.write(f"MongoDB user {USER} {done}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
