"""The event envelope: CloudEvents 1.0 in JSON, with the W3C trace context of the request that published it.

See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md and its extension "Distributed Tracing".
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Generic, Literal, Self, TypeVar
from uuid import UUID, uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.events.tracing import current_traceparent

STREAM_PREFIX = "smartcourse:events:"
SCHEMA_PREFIX = "urn:smartcourse:schema:"


@dataclass(frozen=True, slots=True)
class EventType:
    """What kind of event it is, which shape its data has, and who publishes it.

    ``name`` is past tense and starts with the subject (``user.registered``). ``version`` grows only when a consumer
    of the old shape could not read the new one; an added optional field keeps it. ``service`` is the short name of
    the only service that publishes it (``user``, ``course`` …) and so selects its outbox and its stream.
    """

    name: str
    version: int
    service: str

    @property
    def stream(self) -> str:
        """The stream it is published to: one per service, so that a service's events keep their order."""
        return f"{STREAM_PREFIX}{self.service}"

    @property
    def source(self) -> str:
        return f"/smartcourse/{self.service}-service"

    @property
    def dataschema(self) -> str:
        return f"{SCHEMA_PREFIX}{self.name}:v{self.version}"


class EventData(BaseModel, ABC):
    """Base of payloads. A field unknown to the reader is ignored, so that publishers may add optional fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_type: ClassVar[EventType]

    @abstractmethod
    def subject(self) -> str:
        """What the event is about, within its source: ``users/7``."""


DataT = TypeVar("DataT", bound=EventData)


class Event(BaseModel, Generic[DataT]):
    """One thing that happened. ``id`` is what consumers recognise a repetition by."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID = Field(default_factory=uuid4)
    source: str
    type: str
    subject: str | None = None
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: str
    traceparent: str | None = None
    data: DataT

    @classmethod
    def of(cls, data: DataT, *, time: datetime | None = None) -> Self:
        """Wrap ``data``, taking the trace context of the current span. ``time``: when it happened, default now."""
        kind = data.event_type
        return cls(
            source=kind.source,
            type=kind.name,
            subject=data.subject(),
            time=time or datetime.now(UTC),
            dataschema=kind.dataschema,
            traceparent=current_traceparent(),
            data=data,
        )


class Header(BaseModel):
    """The envelope without its data: what is read first, to find out whether and how the data can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"]
    id: UUID
    source: str
    type: str
    dataschema: str
    traceparent: str | None = None
