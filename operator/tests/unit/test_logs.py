"""Log lines: JSON, with the keys that the services' lines have."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import logging, structlog
from smartcourse_operator import logs

logs.configure("info")
for _ in range(2):
    with logs.one_trace():
        structlog.get_logger().info("reconciled", name="academy")
        logging.getLogger("kopf").warning("watching")
structlog.get_logger().info("idle")
"""


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """In a process of its own: logging is set up for all of it."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_line_says_when_what_how_bad_and_who(lines: list[dict[str, Any]]) -> None:
    assert [line["message"] for line in lines] == ["reconciled", "watching"] * 2 + ["idle"]
    for line in lines:
        assert {"time", "level", "service", "message"} <= line.keys()
        assert line["service"] == "smartcourse-operator"


def test_the_lines_of_one_reconcile_share_a_trace_that_no_other_has(lines: list[dict[str, Any]]) -> None:
    first, second = lines[0]["trace_id"], lines[2]["trace_id"]
    assert len(first) == 32
    assert first != second
    assert [line.get("trace_id") for line in lines] == [first, first, second, second, None]
