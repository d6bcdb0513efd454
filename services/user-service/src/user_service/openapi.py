"""Print the OpenAPI document: `python -m user_service.openapi > services/user-service/openapi.json`."""

import sys

from shared.openapi import describe, dump
from user_service.api.router import DESCRIPTION, ROUTERS, TITLE


def main() -> None:
    sys.stdout.write(dump(describe(title=TITLE, description=DESCRIPTION, routers=ROUTERS)))


if __name__ == "__main__":
    main()
