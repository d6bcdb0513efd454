"""Events as documents: what is written, what is read, what is refused. No server."""

import asyncio
import json
from contextlib import suppress
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import TracerProvider
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from shared.database import WriteSession
from shared.events.backoff import backoff_seconds
from shared.events.cancellation import is_cancelled, kept_cancellation, sleep
from shared.events.envelope import Event
from shared.events.handling import DeadLetterError, Handler, Handlers, describe
from shared.events.outbox import EVENT_FIELD
from shared.events.tracing import context_of
from shared.events.user import UserRegistered

ADA = UserRegistered(user_id=7, email="ada@school.example", full_name="Ada", role="student")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def do_nothing(session: WriteSession, event: Event[UserRegistered]) -> None: ...


HANDLERS = Handlers([Handler(UserRegistered, do_nothing)])


def fields(**changes: object) -> dict[str, str]:
    document = json.loads(Event.of(ADA, time=NOON).model_dump_json(exclude_none=True)) | changes
    return {EVENT_FIELD: json.dumps(document)}


def test_an_event_has_the_attributes_that_cloudevents_requires() -> None:
    event = Event.of(ADA, time=NOON)
    assert json.loads(event.model_dump_json(exclude_none=True)) == {
        "specversion": "1.0",
        "id": str(event.id),
        "source": "/smartcourse/user-service",
        "type": "user.registered",
        "subject": "users/7",
        "time": "2026-03-01T12:00:00Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:smartcourse:schema:user.registered:v1",
        "data": {"user_id": 7, "email": "ada@school.example", "full_name": "Ada", "role": "student"},
    }


def test_an_event_carries_the_trace_of_the_request_that_published_it() -> None:
    with TracerProvider().get_tracer("test").start_as_current_span("request") as span:
        event = Event.of(ADA)
    assert event.traceparent is not None
    assert f"{span.get_span_context().trace_id:032x}" in event.traceparent
    assert context_of(event.traceparent)
    assert not context_of("nonsense")


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValidationError, match="timezone"):
        Event.of(ADA, time=datetime(2026, 3, 1, 12))  # noqa: DTZ001 - the case


def test_a_reader_ignores_what_a_newer_publisher_added() -> None:
    newer = fields(data=ADA.model_dump() | {"nickname": "A"}, partition="1")
    found = HANDLERS.find(HANDLERS.header(newer), newer)
    assert found is not None
    assert found[1].data == ADA


def test_a_type_nobody_handles_is_told_apart_from_damage_and_from_an_unknown_version() -> None:
    foreign = fields(type="user.left", dataschema="urn:smartcourse:schema:user.left:v1")
    assert HANDLERS.find(HANDLERS.header(foreign), foreign) is None
    newer = fields(dataschema="urn:smartcourse:schema:user.registered:v2")
    with pytest.raises(DeadLetterError, match="registered:v2"):
        HANDLERS.find(HANDLERS.header(newer), newer)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "no field 'event'"),
        ({EVENT_FIELD: "{"}, "json_invalid"),
        ({EVENT_FIELD: "[]"}, "document: model_type"),
        (fields(id="seven"), "id: uuid_parsing"),
        (fields(specversion="0.3"), "specversion: literal_error"),
        (fields(data={"user_id": "secret-value"}), "data.user_id: int_parsing"),
    ],
)
def test_damage_is_refused_with_a_reason_that_quotes_no_value(entry: dict[str, str], reason: str) -> None:
    with pytest.raises(DeadLetterError) as refused:
        HANDLERS.find(HANDLERS.header(entry), entry)
    assert reason in str(refused.value)
    assert "secret-value" not in str(refused.value)


def test_a_database_error_is_described_without_its_parameters() -> None:
    error = IntegrityError("INSERT …", {"email": "ada@school.example"}, Exception(f"Key {uuid4()} exists"))
    assert describe(error) == "IntegrityError"


def test_pauses_double_up_to_the_longest_and_vary_by_half() -> None:
    def pauses(failures: int) -> list[float]:
        return [backoff_seconds(failures, first_seconds=1, longest_seconds=8) for _ in range(200)]

    for failures, whole in ((1, 1), (2, 2), (4, 8), (5000, 8)):
        assert whole / 2 <= min(pauses(failures)) <= max(pauses(failures)) <= whole


async def test_a_loop_ends_although_its_cancellation_was_swallowed() -> None:
    rounds = 0

    async def loop() -> None:
        nonlocal rounds
        while not is_cancelled():
            rounds += 1
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
        with pytest.raises(asyncio.CancelledError):
            await sleep(3600)

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait_for(task, timeout=1)
    assert rounds == 1


async def test_a_cancellation_that_a_client_swallowed_is_raised_after_all() -> None:
    async def work() -> None:
        with kept_cancellation(), suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=1)
    assert task.cancelled()
