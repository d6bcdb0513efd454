"""`python -m smartcourse_operator` runs the operator."""

import sys

from smartcourse_operator.main import main

sys.exit(main())
