"""Log lines made readable."""

from __future__ import annotations

import pytest
from rich.console import Console

from smartcourse_kubectl.core.log_lines import order, parse
from smartcourse_kubectl.render.log_line import prefixed

STAMP = "2026-01-02T03:04:05.678901234Z"


def drawn(text: str) -> str:
    console = Console(width=200, no_color=True)
    with console.capture() as capture:
        console.print(prefixed("user-1", parse(text), width=8, colour="cyan"), soft_wrap=True)
    return capture.get()


def test_a_structured_line_shows_time_level_message_and_fields() -> None:
    line = '{"level": "info", "time": "2026-01-02T03:04:05.1Z", "service": "user-service", "message": "request", '
    line += '"trace_id": "ab12", "path": "/api/users", "status": 200, "note": "two words"}'
    assert drawn(f"{STAMP} {line}") == (
        'user-1   │ 03:04:05.678 INFO     request  path=/api/users  status=200  note="two words"  trace_id=ab12\n'
    )


def test_a_traceback_has_lines_of_its_own() -> None:
    line = '{"level": "error", "message": "it broke", "exception": "Traceback:\\n  ValueError\\n"}'
    assert drawn(f"{STAMP} {line}").endswith("ERROR    it broke\nTraceback:\n  ValueError\n")


@pytest.mark.parametrize("line", ["plain [text] with {braces", '{"broken": ', "", "[1, 2]"])
def test_other_lines_stay_as_they_are(line: str) -> None:
    assert drawn(f"{STAMP} {line}") == f"user-1   │ 03:04:05.678 {line}\n"


def test_stamps_are_ordered_by_time_whatever_their_digits() -> None:
    seconds = ("05Z", "05.1Z", "05.12Z", "05.2Z", "06Z")
    stamps = [f"2026-01-02T03:04:{second}" for second in seconds]
    assert sorted([*stamps[2:], *stamps[:2]], key=order) == stamps
