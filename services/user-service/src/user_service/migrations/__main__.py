"""`python -m user_service.migrations upgrade | contract | wait | required | heads`."""

import sys

from shared.migrations import Migrations

if __name__ == "__main__":
    sys.exit(Migrations("user_service", "user").main())
