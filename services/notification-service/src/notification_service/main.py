"""The composition root: `notification_service.main:app` is the ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from fastapi import FastAPI

from notification_service.api.router import ROUTERS, TITLE
from notification_service.channels.email import Composer, EmailCarrier
from notification_service.channels.push import PushCarrier
from notification_service.config import Settings
from notification_service.core import metrics
from notification_service.core.carrying import Carrier
from notification_service.events.consumer import SERVICE, handlers
from notification_service.schemas.delivery import Channel
from notification_service.services.announcing import Announcements, Forgetting
from notification_service.services.container import Services
from notification_service.services.dead_letter import DeadDeliveryService, DeadEventService
from notification_service.services.delivering import Deliverer, DelivererSettings
from notification_service.services.housekeeping import Housekeeper, HousekeeperSettings
from notification_service.services.notification import NotificationService
from notification_service.services.preference import PreferenceService
from notification_service.services.push import PushService
from shared.app import create_app
from shared.config.settings import load
from shared.database import Database
from shared.events.brokers import make_broker
from shared.events.consumer import ConsumerSettings, EventConsumer
from shared.events.dead_letters import DeadLetters
from shared.idempotency.store import IdempotencyStore
from shared.utils.datetime import SystemClock

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How quickly the tasks work; tests are less patient."""

    consuming: ConsumerSettings | None = None
    delivering: DelivererSettings | None = None
    housekeeping: HousekeeperSettings | None = None


def build(settings: Settings, pace: Pace | None = None) -> FastAPI:
    """Wire the service up. Nothing is connected before the application starts."""
    pace, clock = pace or Pace(), SystemClock()
    database = Database(settings, application_name=settings.service_name)
    broker = make_broker(settings)
    email, push = _email(settings, clock), _push(settings, clock)
    carriers: list[Carrier] = [each for each in (email, push) if each is not None]
    channels = frozenset({Channel.IN_APP, *(carrier.channel for carrier in carriers)})
    reactions = handlers(Announcements(channels), Forgetting())
    consumer = EventConsumer(
        database=database, broker=broker, service=SERVICE, handlers=reactions, settings=pace.consuming
    )
    deliverers = [Deliverer(database=database, carrier=each, settings=pace.delivering) for each in carriers]
    housekeeper = Housekeeper(
        database=database, clock=clock, retention_days=settings.retention_days, settings=pace.housekeeping
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        _declare(channels)
        yield
        await broker.aclose()
        if push is not None:
            await push.aclose()

    app = create_app(
        settings,
        title=TITLE,
        routers=ROUTERS,
        database=database,
        idempotency=IdempotencyStore(database, SERVICE, clock=clock),
        tasks=[consumer.run, *(each.run for each in deliverers), housekeeper.run],
        lifespan=lifespan,
    )
    app.state.services = Services(
        notifications=NotificationService(database, clock),
        preferences=PreferenceService(database, channels),
        push=PushService(
            database,
            public_key=settings.vapid_key.public_key if settings.vapid_key else None,
            allow_private=settings.push_allow_private,
        ),
        dead_events=DeadEventService(DeadLetters(database, SERVICE, reactions)),
        dead_deliveries=DeadDeliveryService(database),
    )
    return app


def _email(settings: Settings, clock: SystemClock) -> EmailCarrier | None:
    server, sender = settings.mail_server, settings.sender
    if server is None or sender is None:
        return None
    composer = Composer(sender=sender, public_url=settings.public_url, clock=clock)
    return EmailCarrier(server=server, composer=composer, sender=sender)


def _push(settings: Settings, clock: SystemClock) -> PushCarrier | None:
    key, subject = settings.vapid_key, settings.vapid_subject
    if key is None or subject is None:
        return None
    return PushCarrier(key=key, subject=subject, allow_private=settings.push_allow_private, clock=clock)


def _declare(channels: frozenset[Channel]) -> None:
    """Say which channels are on: an installation without mail should not have to be guessed."""
    for channel in Channel:
        metrics.CHANNEL_ENABLED.labels(channel).set(channel in channels)
    off = sorted(set(Channel) - channels)
    log.info("channels", on=sorted(channels), off=off)


def __getattr__(name: str) -> FastAPI:
    """Make `app` when a server asks for it, so that importing this module needs no environment."""
    if name == "app":
        return build(load(Settings))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
