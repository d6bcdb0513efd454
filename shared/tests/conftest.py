"""Servers that the integration tests run against, and the modules in `support/` that tests import."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))

pytest_plugins = ["shared.testing.servers"]
