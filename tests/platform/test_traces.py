"""What one request causes, anywhere, is one trace."""

from __future__ import annotations

import json
import secrets

from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from ..e2e.people import Platform, unique
from .collector import Collector, Span
from .processes import RunningPlatform

REGISTERED = ("user-service", "POST /api/auth/register")
PUBLISHED = ("user-service", "publish user.registered")
NOTIFIED = ("notification-service", "consume user.registered")


def only(spans: list[Span], service: str, name: str) -> Span:
    found = [span for span in spans if (span.service, span.name) == (service, name)]
    assert len(found) == 1, f"{service} {name}: {[(span.service, span.name) for span in spans]}"
    return found[0]


def children(spans: list[Span], parent: Span, kind: int) -> set[str]:
    return {span.name for span in spans if span.parent_id == parent.span_id and span.kind == kind}


def register_under(platform: Platform, traceparent: str, **headers: str) -> None:
    person = {"email": f"{unique('person')}@example.org", "password": secrets.token_urlsafe(16), "full_name": "Ada"}
    answer = platform.client.post("/api/auth/register", json=person, headers={"traceparent": traceparent} | headers)
    assert answer.status_code == 201, answer.text


def test_a_registration_is_one_trace_from_the_gateway_to_the_notification(
    platform: Platform, collector: Collector
) -> None:
    trace_id, client_span = secrets.token_hex(16), secrets.token_hex(8)
    register_under(platform, f"00-{trace_id}-{client_span}-01", tracestate="vendor=secret", baggage="who=ada")

    deciding = ("api-gateway", "decide POST /api/auth/register")
    spans = collector.wait_for_trace(trace_id, deciding, REGISTERED, PUBLISHED, NOTIFIED)
    decision, request, publishing, consuming = (
        only(spans, *each) for each in (deciding, REGISTERED, PUBLISHED, NOTIFIED)
    )

    assert decision.parent_id == client_span
    assert request.parent_id == decision.span_id
    assert publishing.parent_id == consuming.parent_id == request.span_id
    assert [each.kind for each in (decision, request, publishing, consuming)] == [
        Message.SPAN_KIND_SERVER,
        Message.SPAN_KIND_SERVER,
        Message.SPAN_KIND_PRODUCER,
        Message.SPAN_KIND_CONSUMER,
    ]
    assert {"SELECT", "INSERT"} <= children(spans, request, Message.SPAN_KIND_CLIENT)
    assert "INSERT" in children(spans, consuming, Message.SPAN_KIND_CLIENT)
    inserted = [span.attributes["db.query.text"] for span in spans if span.name == "INSERT"]
    assert any(text.startswith("INSERT INTO users") for text in inserted)
    assert any(text.startswith("INSERT INTO notifications") for text in inserted)
    known = {span.span_id for span in spans} | {client_span}
    assert {span.parent_id for span in spans} <= known, "a span's parent was never exported"


def test_a_lessons_body_in_mongodb_belongs_to_the_request_that_wrote_it(
    platform: Platform, collector: Collector
) -> None:
    instructor = platform.new_instructor(platform.log_in(**platform.admin))
    course = platform.author_course(instructor, publish=False)
    trace_id = secrets.token_hex(16)
    lesson = {"title": "Second steps", "kind": "text", "body": "And this.", "is_published": True}
    answer = instructor.post(
        f"/api/courses/{course['id']}/modules/{course['modules'][0]['id']}/lessons",
        lesson,
        headers={"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"},
    )
    assert answer.status_code == 201, answer.text

    asked = ("course-service", "POST /api/courses/{course_id}/modules/{module_id}/lessons")
    written = ("course-service", "smartcourse.insert")
    spans = collector.wait_for_trace(trace_id, asked, written)
    commands = [span for span in spans if (span.service, span.name) == written]
    assert {command.parent_id for command in commands} == {only(spans, *asked).span_id}
    assert "lesson_revisions" in {command.attributes["db.mongodb.collection"] for command in commands}
    for command in commands:
        assert command.attributes["db.statement"] == "insert", "the command's name and none of its values"


def test_a_request_without_a_trace_begins_one_under_the_id_that_its_log_line_has(
    platform: Platform, collector: Collector, running: RunningPlatform
) -> None:
    request_id = f"req-{secrets.token_hex(8)}"
    assert platform.client.get("/api/courses", headers={"X-Request-ID": request_id}).status_code == 200
    collector.wait_for(
        lambda _: any(request_id in line for line in running.log("nginx").splitlines()), what="the access log's line"
    )
    line = next(json.loads(line) for line in running.log("nginx").splitlines() if request_id in line)
    deciding, asked = ("api-gateway", "decide GET /api/courses"), ("course-service", "GET /api/courses")
    spans = collector.wait_for_trace(line["trace_id"], deciding, asked)
    decision = only(spans, *deciding)
    assert decision.parent_id == ""
    assert decision.span_id == line["span_id"]
    assert only(spans, *asked).parent_id == decision.span_id


def test_a_client_may_decline_to_be_recorded(platform: Platform, collector: Collector) -> None:
    declined, recorded = secrets.token_hex(16), secrets.token_hex(16)
    for trace_id, flags in ((declined, "00"), (recorded, "01")):
        register_under(platform, f"00-{trace_id}-{secrets.token_hex(8)}-{flags}")
    collector.wait_for_trace(recorded, NOTIFIED)
    assert collector.trace(declined) == []


def test_a_refusal_is_a_span_with_its_status(platform: Platform, collector: Collector) -> None:
    trace_id = secrets.token_hex(16)
    answer = platform.client.get("/api/auth/me", headers={"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"})
    assert answer.status_code == 401
    assert answer.json()["trace_id"] == trace_id
    (span,) = collector.wait_for_trace(trace_id, ("api-gateway", "decide GET /api/auth/me"))
    assert span.attributes["http.response.status_code"] == 401


def test_what_nobody_asked_for_makes_no_trace(platform: Platform, collector: Collector) -> None:
    """Probes, the relay's turns and the background tasks question the databases all the time."""
    platform.client.get("/health")
    spans = collector.wait_for(lambda spans: len(spans) > 0, what="any span")
    assert not [span for span in spans if "/health" in span.name]
    behind = [span for span in spans if not span.parent_id and span.service != "api-gateway"]
    # The administrator was made by a command, not by a request: publishing and consuming that begins a trace.
    assert {(span.service, span.name) for span in behind} <= {PUBLISHED, NOTIFIED}
