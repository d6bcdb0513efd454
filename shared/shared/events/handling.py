"""From a stream entry to a handler and its event; what cannot be read is told apart from what is not for us."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic

from opentelemetry import trace
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from shared.database import WriteSession
from shared.events.envelope import DataT, Event, Header
from shared.events.inbox import Inbox
from shared.events.outbox import EVENT_FIELD
from shared.events.tracing import context_of

tracer = trace.get_tracer(__name__)


class DeadLetterError(Exception):
    """No further attempt will help: not an event, data of another shape than its schema says, or enough attempts."""

    def __init__(self, reason: str, *, attempts: int = 0) -> None:
        super().__init__(reason)
        self.attempts = attempts


@dataclass(frozen=True, slots=True)
class Handler(Generic[DataT]):
    """What a service does about one kind of event.

    ``handle`` works in the session's transaction only, which is committed together with the mark that the event was
    processed; it is not called for an event that was. It raises to be called again later.
    """

    payload: type[DataT]
    handle: Callable[[WriteSession, Event[DataT]], Awaitable[None]]

    def parse(self, text: str) -> Event[DataT]:
        return Event[self.payload].model_validate_json(text)  # type: ignore[name-defined]  # a class known at run time

    async def handle_once(self, session: WriteSession, inbox: Inbox, event: Event[DataT]) -> str:
        """Handle the event unless it was before; "handled" or "repeated"."""
        if not await inbox.take(session, event.id):
            return "repeated"
        await self.handle(session, event)
        return "handled"


class Handlers:
    """Finds the handler of an entry by the schema of its data."""

    def __init__(self, handlers: Iterable[Handler[Any]]) -> None:
        self._by_schema = {handler.payload.event_type.dataschema: handler for handler in handlers}
        self._types = {handler.payload.event_type.name for handler in self._by_schema.values()}
        self.streams = sorted({handler.payload.event_type.stream for handler in self._by_schema.values()})

    def header(self, fields: Mapping[str, str]) -> Header:
        """The envelope.

        Raises:
            DeadLetterError: there is none.
        """
        text = fields.get(EVENT_FIELD)
        if text is None:
            raise DeadLetterError(f"the entry has no field {EVENT_FIELD!r}")
        try:
            return Header.model_validate_json(text)
        except ValidationError as error:
            raise DeadLetterError(f"not an event: {describe(error)}") from None

    def find(self, header: Header, fields: Mapping[str, str]) -> tuple[Handler[Any], Event[Any]] | None:
        """Handler and event, or None if nobody here handles this type.

        Raises:
            DeadLetterError: the data contradicts its schema, or is of a version that nobody here knows yet. That is
                kept for whoever will: it can be replayed after an update.
        """
        handler = self._by_schema.get(header.dataschema)
        if handler is None:
            if header.type in self._types:
                raise DeadLetterError(f"nobody here knows {header.dataschema}; replay it after an update")
            return None
        try:
            return handler, handler.parse(fields[EVENT_FIELD])
        except ValidationError as error:
            raise DeadLetterError(f"data is not {header.dataschema}: {describe(error)}") from None


def consuming(header: Header, group: str) -> AbstractContextManager[trace.Span]:
    """A span of the trace that the event was published in."""
    return tracer.start_as_current_span(
        f"consume {header.type}",
        context=context_of(header.traceparent),
        kind=trace.SpanKind.CONSUMER,
        attributes={"messaging.message.id": str(header.id), "messaging.consumer.group.name": group},
    )


def describe(error: Exception) -> str:
    """The error for a log: where and what, but not the values, which may be personal."""
    if isinstance(error, ValidationError):
        places = error.errors(include_url=False, include_context=False, include_input=False)
        return "; ".join(f"{'.'.join(map(str, place['loc'])) or 'document'}: {place['type']}" for place in places)
    if isinstance(error, DBAPIError):
        return f"{type(error).__name__} {getattr(error.orig, 'sqlstate', '')}".rstrip()
    return f"{type(error).__name__}: {error}"
