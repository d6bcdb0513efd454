"""The composition root: `notification_service.main:app` is the ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from notification_service.api.router import ROUTERS, TITLE
from notification_service.config import Settings
from notification_service.events.consumer import SERVICE, handlers
from notification_service.services.notification import Announcements
from shared.app import create_app
from shared.config.settings import load
from shared.database import Database
from shared.events.consumer import ConsumerSettings, EventConsumer
from shared.events.redis_streams import RedisBroker


def build(settings: Settings, consuming: ConsumerSettings | None = None) -> FastAPI:
    """Wire the service up. Nothing is connected before the application starts."""
    database = Database(settings, application_name=settings.service_name)
    broker = RedisBroker(settings.redis_url.get_secret_value())
    consumer = EventConsumer(
        database=database, broker=broker, service=SERVICE, handlers=handlers(Announcements()), settings=consuming
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await broker.aclose()

    return create_app(
        settings,
        title=TITLE,
        routers=ROUTERS,
        checks={"events": consumer.check},
        database=database,
        tasks=[consumer.run],
        lifespan=lifespan,
    )


def __getattr__(name: str) -> FastAPI:
    """Make `app` when a server asks for it, so that importing this module needs no environment."""
    if name == "app":
        return build(load(Settings))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
