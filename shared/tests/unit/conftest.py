"""A small service to send requests to."""

import asyncio
from collections.abc import Callable
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from pydantic import SecretStr

from shared.access import access
from shared.app import create_app
from shared.config.settings import ServiceSettings
from shared.exceptions.base import ConflictError, RateLimitedError, UnavailableError
from shared.identity import CurrentIdentity, CurrentUser, Role, UserIdentity, require_roles
from shared.schemas.base import Schema
from shared.testing.identity import GatewayAuth
from shared.utils.datetime import FixedClock
from shared.utils.validators import Password

KEY = "current-key-" + "x" * 32
PREVIOUS_KEY = "previous-key-" + "x" * 32


class Credentials(Schema):
    name: str
    password: Password


class CourseFullError(ConflictError):
    slug = "course-full"
    title = "The course is full"

    def __init__(self, course_id: int, capacity: int) -> None:
        super().__init__(f"Course {course_id} holds {capacity}.", extra={"capacity": capacity, "status": 200})


router = APIRouter(prefix="/api/example")


@router.get("/whoami", openapi_extra=access("public"))
async def whoami(identity: CurrentIdentity) -> dict[str, str | int | None]:
    return {"user_id": identity.user_id, "role": identity.role, "session_id": identity.session_id}


@router.get("/me", openapi_extra=access("authenticated"))
async def me(user: CurrentUser) -> int:
    return user.user_id


@router.get("/admin", openapi_extra=access("admin"))
async def admin(user: Annotated[UserIdentity, Depends(require_roles(Role.ADMIN))]) -> int:
    return user.user_id


@router.post("/things/{thing_id}", openapi_extra=access("public"))
async def create_thing(thing_id: int, body: Credentials) -> str:
    return body.name


@router.post("/raw", openapi_extra=access("public"))
async def raw(request: Request) -> int:
    return len(await request.body())


@router.post("/uploads/{name}", openapi_extra=access("public", max_body_bytes=5000))
async def upload(name: str, request: Request) -> int:
    return len(await request.body())


@router.post("/stubborn", openapi_extra=access("public"))
async def stubborn(request: Request) -> str:
    try:
        await request.body()
    except Exception as error:
        raise HTTPException(400, "could not read") from error
    return "read"


@router.get("/broken/{kind}", openapi_extra=access("public"))
async def broken(kind: str) -> None:
    match kind:
        case "full":
            raise CourseFullError(7, capacity=30)
        case "limited":
            raise RateLimitedError(retry_after_seconds=9)
        case "away":
            raise UnavailableError("Later, please.", headers={"X-Reason": "test"})
        case "teapot":
            raise HTTPException(418)
        case "slow":
            await asyncio.sleep(60)
        case _:
            raise RuntimeError("the password is hunter2")


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
def previous_key() -> str:
    return PREVIOUS_KEY


@pytest.fixture
def settings() -> ServiceSettings:
    return ServiceSettings(
        service_name="example-service",
        metrics_port=0,
        gateway_identity_key=SecretStr(KEY),
        gateway_identity_key_previous=SecretStr(PREVIOUS_KEY),
    )


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def routers() -> list[APIRouter]:
    return [router]


@pytest.fixture
def app(settings: ServiceSettings, clock: FixedClock, routers: list[APIRouter]) -> FastAPI:
    return create_app(settings, title="Example", routers=routers, clock=clock, max_body_bytes=1000)


Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
def client(app: FastAPI, clock: FixedClock) -> Client:
    """A client of `app` that comes through the gateway, as nobody or as `client(user_id=7, role="student")`."""

    def make(*, key: str = KEY, auth: httpx.Auth | None = None, **who: object) -> httpx.AsyncClient:
        identity = auth or GatewayAuth(key, clock=clock, **who)  # type: ignore[arg-type]
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://example", auth=identity)

    return make


@pytest.fixture
def direct(app: FastAPI) -> httpx.AsyncClient:
    """A client that goes past the gateway."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://example")
