"""`python -m course_service.migrations upgrade | wait | heads`."""

import sys

from shared.migrations import Migrations

sys.exit(Migrations("course_service", "course").main())
