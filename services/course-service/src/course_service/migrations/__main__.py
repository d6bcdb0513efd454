"""`python -m course_service.migrations upgrade | contract | wait | required | heads`."""

import sys

from shared.migrations import Migrations

sys.exit(Migrations("course_service", "course").main())
