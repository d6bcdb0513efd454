"""The composition root: the only module that knows every other one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from shared.app import create_app
from shared.config.settings import load
from shared.database import Database
from shared.events.broker import Broker
from shared.events.brokers import make_broker
from shared.events.relay import OutboxRelay
from shared.idempotency.store import IdempotencyStore
from shared.telemetry.pools import watch_redis
from shared.utils.datetime import Clock, SystemClock
from user_service.api.router import DESCRIPTION, ROUTERS, TITLE
from user_service.config import Settings
from user_service.core.attempts import LoginAttempts
from user_service.core.database import SERVICE
from user_service.core.revocations import RevocationStream
from user_service.core.security import TokenSigner
from user_service.events.producer import AccountProducer, RevocationProducer
from user_service.services.account import AccountService
from user_service.services.api_key import ApiKeyService
from user_service.services.auth import AuthService
from user_service.services.container import Services
from user_service.services.instructor import InstructorService
from user_service.services.revocations import RevocationKeeper
from user_service.services.session import Lifetimes, SessionService
from user_service.services.user import UserService

REDIS_TIMEOUT_SECONDS = 1.0


def build(settings: Settings, *, clock: Clock | None = None) -> FastAPI:
    """Put the service together. Connects to nothing: that is for its lifespan."""
    clock = clock or SystemClock()
    database = Database(settings, application_name=settings.service_name)
    redis = _redis(settings)
    watch_redis("redis", redis)
    broker = make_broker(settings)
    relay = OutboxRelay(engine=database.engine, broker=broker, service=SERVICE)
    keeper = RevocationKeeper(database=database, stream=RevocationStream(redis), clock=clock)
    app = create_app(
        settings,
        title=TITLE,
        description=DESCRIPTION,
        routers=ROUTERS,
        database=database,
        idempotency=IdempotencyStore(database, SERVICE, clock=clock),
        tasks=[relay.run, keeper.run],
        lifespan=_closing(redis, broker),
        clock=clock,
    )
    app.state.services = _services(settings, database=database, redis=redis, clock=clock)
    return app


def _services(settings: Settings, *, database: Database, redis: Redis, clock: Clock) -> Services:
    signer = TokenSigner(
        current=settings.jwt_secret_key,
        previous=settings.jwt_secret_key_previous,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )
    attempts = LoginAttempts(
        redis, limit=settings.login_failures_per_account, window_seconds=settings.login_failure_window_seconds
    )
    revocations = RevocationProducer(RevocationStream(redis))
    sessions = SessionService(
        database=database,
        signer=signer,
        publisher=revocations,
        clock=clock,
        lifetimes=Lifetimes(access=settings.access_lifetime, session=settings.session_lifetime),
    )
    api_keys = ApiKeyService(
        database=database,
        publisher=revocations,
        clock=clock,
        limit=settings.api_keys_per_user,
    )
    accounts = AccountProducer()
    return Services(
        auth=AuthService(
            database=database,
            accounts=AccountService(publisher=accounts, clock=clock),
            sessions=sessions,
            attempts=attempts,
            clock=clock,
        ),
        sessions=sessions,
        users=UserService(database=database, sessions=sessions, api_keys=api_keys, publisher=accounts, clock=clock),
        instructors=InstructorService(database=database),
        api_keys=api_keys,
    )


def _redis(settings: Settings) -> Redis:
    # One quick second try mends a connection that Redis closed meanwhile; whoever waits longer is a person logging in.
    return Redis.from_url(
        settings.redis_url.get_secret_value(),
        decode_responses=True,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
        client_name=settings.service_name,
    )


def _closing(redis: Redis, broker: Broker) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await broker.aclose()
        await redis.aclose()

    return lifespan


def __getattr__(name: str) -> Any:
    """Make `app` when a server asks for it, so that importing this module needs no environment."""
    if name == "app":
        return build(load(Settings))
    raise AttributeError(name)
