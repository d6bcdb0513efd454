"""Logs: one JSON object a line, with the trace it belongs to, and nothing that says who somebody is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .collector import Collector
from .journey import Traveller
from .processes import PROCESSES, SERVICES, RunningPlatform

TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")


def lines(running: RunningPlatform, process: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.log(process).splitlines()]


@pytest.mark.parametrize("process", PROCESSES)
def test_every_line_is_json_and_says_when_what_how_bad_and_who(
    traveller: Traveller, running: RunningPlatform, process: str
) -> None:
    for line in lines(running, process):
        assert {"time", "level", "service", "message"} <= line.keys(), line


@pytest.mark.parametrize("process", [*SERVICES, "nginx"])
def test_every_request_is_logged_with_its_trace(traveller: Traveller, running: RunningPlatform, process: str) -> None:
    requests = [line for line in lines(running, process) if line["message"] == "request"]
    assert requests
    for line in requests:
        assert TRACE_ID.fullmatch(line["trace_id"]), line
        # nginx answers some requests without asking anybody: those have no span.
        assert SPAN_ID.fullmatch(line["span_id"]), line


def test_a_request_has_one_trace_id_in_the_logs_of_nginx_and_of_its_service(
    traveller: Traveller, running: RunningPlatform
) -> None:
    carried = {line["trace_id"]: line["upstream"] for line in lines(running, "nginx") if line.get("upstream")}
    assert set(carried.values()) >= {"user", "course", "notification"}
    for name in SERVICES:
        seen = {line["trace_id"] for line in lines(running, name) if line["message"] == "request"}
        assert {trace_id for trace_id, upstream in carried.items() if upstream == name} <= seen


@pytest.mark.parametrize("process", PROCESSES)
def test_no_log_tells_who_somebody_is_or_a_secret_of_theirs(
    traveller: Traveller, running: RunningPlatform, process: str
) -> None:
    told = [what for what, value in traveller.secrets.items() if value in running.log(process)]
    assert told == []


def test_no_span_tells_who_somebody_is_or_a_secret_of_theirs(traveller: Traveller, collector: Collector) -> None:
    text = collector.text
    assert "INSERT INTO users" in text
    assert [what for what, value in traveller.secrets.items() if value in text] == []


def test_no_metric_tells_who_somebody_is(traveller: Traveller, running: RunningPlatform) -> None:
    text = "".join(running.metrics(name) for name in (*SERVICES, "decision"))
    assert [what for what, value in traveller.secrets.items() if value in text] == []
