"""`make test` and `make test-full`: checks, unit, integration and end-to-end cases, in this order.

Each stage prints as it goes and how long it took; a failing stage ends the run, for the next ones would only repeat it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

from smartcourse_dev import check

ROOT = Path(__file__).resolve().parents[2]
REPORTS = ROOT / "build" / "reports"
TEST_CLUSTER = {"CLUSTER": "smartcourse-test", "HTTP_PORT": "8081"}
MEMBERS = ["shared", "services/api-gateway", "services/course-service", "services/notification-service",
           "services/user-service", "operator", "infrastructure", "charts"]  # fmt: skip
SERVER_PACKAGES = ["postgresql-15", "redis-server", "nginx-light", "iproute2"]


def run(*command: str, **environment: str) -> int:
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=False).returncode


def pytest(name: str, *arguments: str, **environment: str) -> int:
    REPORTS.mkdir(parents=True, exist_ok=True)
    report = f"--junitxml={REPORTS / name}.xml"
    return run(sys.executable, "-m", "pytest", report, "--durations=10", *arguments, **environment)


def existing(*paths: str) -> list[str]:
    return [path for path in paths if (ROOT / path).is_dir()]
