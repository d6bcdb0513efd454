"""Print the service's OpenAPI document: `python -m notification_service.openapi > openapi.json`."""

import sys

from notification_service.api.router import ROUTERS, TITLE
from shared.openapi import describe, dump

if __name__ == "__main__":
    sys.stdout.write(dump(describe(title=TITLE, routers=ROUTERS)))
