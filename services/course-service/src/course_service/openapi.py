"""Print the OpenAPI document: `python -m course_service.openapi > services/course-service/openapi.json`."""

import sys

from course_service.api.router import DESCRIPTION, ROUTERS, TITLE
from shared.openapi import describe, dump


def main() -> None:
    sys.stdout.write(dump(describe(title=TITLE, description=DESCRIPTION, routers=ROUTERS)))


if __name__ == "__main__":
    main()
