"""What a running service tells its operators: health, logs, metrics, traces."""

import asyncio
import json
import logging
import socket
import urllib.request
from collections.abc import Callable, Iterator

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from prometheus_client import REGISTRY

from shared.config.settings import ServiceSettings
from shared.health import Check, health_router
from shared.telemetry import MetricsListener, configure_logging, configure_tracing, trace_id
from shared.telemetry.tracing import tracer

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict]]]:
    configure_logging("example-service", "INFO")
    configure_tracing("example-service")

    def read() -> list[dict]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield read
    logging.getLogger().handlers = []
    structlog.reset_defaults()


def ask(checks: dict[str, Check]) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(health_router("example-service", checks, timeout_seconds=0.1))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://example")


async def fine() -> None:
    pass


async def failing() -> None:
    raise ConnectionError("redis://:hunter2@redis refused")


async def hanging() -> None:
    await asyncio.sleep(60)


async def test_ready_when_every_check_passes() -> None:
    answer = await ask({"postgres": fine, "redis": fine}).get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy"
    assert answer.json()["service"] == "example-service"
    assert answer.json()["checks"].keys() == {"postgres", "redis"}


@pytest.mark.parametrize("path", ["/health/ready", "/health"])
async def test_not_ready_names_the_check_that_fails_without_its_details(path: str) -> None:
    answer = await ask({"postgres": fine, "redis": failing}).get(path)
    assert answer.status_code == 503
    assert answer.json()["checks"]["postgres"]["status"] == "ok"
    assert answer.json()["checks"]["redis"]["status"] == "failed"
    assert "hunter2" not in answer.text


async def test_a_check_that_hangs_is_a_check_that_fails() -> None:
    answer = await ask({"postgres": hanging}).get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["postgres"]["error"] == "no answer within 0.1 s"


async def test_alive_and_started_whatever_the_checks_say() -> None:
    client = ask({"postgres": failing})
    assert (await client.get("/health/live")).status_code == 200
    assert (await client.get("/health/startup")).status_code == 200


async def test_a_request_is_one_line_with_trace_request_id_and_user(client, lines) -> None:
    headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Request-ID": "r-1"}
    await client(user_id=7, role="student").get("/api/example/me?token=hunter2", headers=headers)
    (line,) = lines()
    assert line["message"] == "request"
    assert line["service"] == "example-service"
    assert (line["trace_id"], line["request_id"], line["user_id"]) == (TRACE, "r-1", 7)
    assert (line["method"], line["path"], line["status"]) == ("GET", "/api/example/me", 200)
    assert "hunter2" not in json.dumps(line)


async def test_a_request_id_that_is_no_id_is_not_logged(client, lines) -> None:
    await client().get("/api/example/whoami", headers={"X-Request-ID": "a" * 200})
    assert "request_id" not in lines()[0]


async def test_an_unforeseen_error_is_logged_under_the_trace_that_the_client_is_told(client, lines) -> None:
    problem = (await client().get("/api/example/broken/anyhow")).json()
    failure, request = lines()
    assert failure["trace_id"] == request["trace_id"] == problem["trace_id"]
    assert failure["level"] == "error"
    assert "RuntimeError" in failure["exception"]
    assert request["status"] == 500


async def test_healthy_probes_are_not_logged(direct: httpx.AsyncClient, lines) -> None:
    await direct.get("/health/live")
    assert lines() == []


async def test_the_callers_trace_is_continued_and_a_broken_one_replaced(client) -> None:
    configure_tracing("example-service")
    path = "/api/example/broken/full"
    for header, is_kept in [(f"00-{TRACE}-00f067aa0ba902b7-01", True), ("00-garbage", False), ("", False)]:
        problem = (await client().get(path, headers={"traceparent": header})).json()
        assert (problem["trace_id"] == TRACE) is is_kept
        assert int(problem["trace_id"], 16)


def test_spans_are_ids_alone_while_nobody_receives_them() -> None:
    configure_tracing("example-service")
    span = tracer.start_span("work")
    assert not span.is_recording()
    assert span.get_span_context().is_valid


def test_outside_of_any_span_a_trace_id_is_made_up() -> None:
    assert len(trace_id()) == 32
    assert trace_id() != trace_id()


def test_secrets_are_blanked_out_wherever_they_are(lines) -> None:
    structlog.get_logger("x").warning(
        "connecting to redis://:hunter2@redis:6379/0",
        password="hunter2",
        nested={"refresh_token": "hunter2", "urls": ["postgresql://u:hunter2@db/x"]},
        authorization="Bearer hunter2",
        note="sent Bearer hunter2 and eyJhbGciOi.hunter2.hunter2 and sck_0123456789abcdef_hunter2",
        user_id=7,
    )
    logging.getLogger("library").error("cannot reach %s", "mongodb://course:hunter2@mongo")
    own, foreign = lines()
    assert "hunter2" not in json.dumps([own, foreign])
    assert own["user_id"] == 7
    assert foreign["logger"] == "library"
    assert foreign["message"] == "cannot reach mongodb://course:[redacted]@mongo"


def test_an_exceptions_text_is_blanked_out_as_well(lines) -> None:
    error = ValueError("postgresql://user_a:hunter2@db is no address")
    logging.getLogger("library").error("failed", exc_info=error)
    (line,) = lines()
    assert "ValueError" in line["exception"]
    assert "hunter2" not in line["exception"]


def test_a_row_that_the_database_quotes_is_blanked_out(lines) -> None:
    logging.getLogger("library").error(
        "duplicate key\nDETAIL:  Key (email)=(ada@example.com) already exists.\nHINT: no"
    )
    (line,) = lines()
    assert line["message"] == "duplicate key\nDETAIL:  [redacted]\nHINT: no"


@pytest.mark.parametrize(
    "end",
    ["", "\n[SQL: INSERT INTO courses]", "\n\nThe above exception was the direct cause of the following exception:"],
)
@pytest.mark.parametrize(
    ("error", "logged"),
    [
        ("DETAIL:  Failing row contains (7, Ada's\nsecond line, x).", "DETAIL:  [redacted]"),
        (
            "DataError: invalid input for query argument $12: 'Ada\nLovelace' (expected str, got int)",
            "DataError: invalid input for query argument $12: [redacted]",
        ),
    ],
)
def test_a_quoted_value_of_several_lines_is_blanked_out_to_its_end(lines, error: str, logged: str, end: str) -> None:
    logging.getLogger("library").error(error + end)
    assert lines()[0]["message"] == logged + end


def test_setting_logging_up_twice_writes_each_line_once(lines) -> None:
    configure_logging("example-service")
    logging.getLogger("library").warning("once")
    assert len(lines()) == 1


def count(route: str, status: int, method: str = "GET") -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("http_requests_total", labels) or 0


async def test_requests_are_counted_by_route_template(client) -> None:
    route = "/api/example/broken/{kind}"
    before = count(route, 409), count(route, 500), count("unmatched", 404), count("unmatched", 401)
    await client().get("/api/example/broken/full")
    await client().get("/api/example/broken/anyhow")
    await client().get("/api/nowhere/at/all")
    await client(key="wrong" * 8).get("/api/example/broken/full")
    after = count(route, 409), count(route, 500), count("unmatched", 404), count("unmatched", 401)
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1, 1]


async def test_methods_that_nobody_knows_share_one_label(client) -> None:
    before = count("unmatched", 404, "OTHER")
    await client().request("BREW", "/api/nowhere")
    assert count("unmatched", 404, "OTHER") == before + 1


async def test_routers_included_in_routers_are_counted_by_their_whole_path(
    settings: ServiceSettings, routers: list[APIRouter], client
) -> None:
    outer = APIRouter(prefix="/outer")
    outer.add_api_route("/inner/{x}", fine)
    routers[0].include_router(outer)
    before = count("/api/example/outer/inner/{x}", 200)
    await client().get("/api/example/outer/inner/5")
    assert count("/api/example/outer/inner/{x}", 200) == before + 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_metrics_have_a_listener_of_their_own() -> None:
    listener = MetricsListener(free_port())
    listener.start()
    with urllib.request.urlopen(f"http://127.0.0.1:{listener.port}/metrics") as answer:
        text = answer.read().decode()
    assert "process_cpu_seconds_total" in text
    assert "http_request_duration_seconds" in text
    listener.stop()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"http://127.0.0.1:{listener.port}/metrics")


def test_a_taken_metrics_port_is_named() -> None:
    listener = MetricsListener(free_port())
    listener.start()
    with pytest.raises(OSError, match=f"{listener.port}.*METRICS_PORT"):
        MetricsListener(listener.port).start()
    listener.stop()


def test_metrics_port_0_means_no_listener() -> None:
    listener = MetricsListener(0)
    listener.start()
    listener.stop()
