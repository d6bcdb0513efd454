"""`python -m smartcourse_dev <command>`."""

from __future__ import annotations

import sys

from smartcourse_dev.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
