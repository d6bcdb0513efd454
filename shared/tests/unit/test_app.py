"""How a service is put together, begins and ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, FastAPI, Header

from shared import app as app_module
from shared.access import access
from shared.app import create_app, running
from shared.config.settings import ServiceSettings
from shared.openapi import describe, document, dump, problems


async def test_tasks_run_inside_the_services_own_lifespan(settings: ServiceSettings) -> None:
    story: list[str] = []
    begun = asyncio.Event()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        story.append("entered")
        yield
        story.append("left")

    async def task() -> None:
        story.append("task began")
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            story.append("task ended")

    app = create_app(settings, title="Example", routers=[], lifespan=lifespan, tasks=[task])
    async with app.router.lifespan_context(app):
        await begun.wait()
    assert story == ["entered", "task began", "task ended", "left"]


async def test_a_task_that_fails_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "FIRST_RESTART_SECONDS", 0.01)
    runs = 0
    again = asyncio.Event()

    async def task() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            again.set()
            await asyncio.sleep(60)
        raise ConnectionError

    async with running([task]), asyncio.timeout(5):
        await again.wait()
    assert runs == 3


async def test_a_task_that_has_ended_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "FIRST_RESTART_SECONDS", 0.01)
    runs = 0

    async def task() -> None:
        nonlocal runs
        runs += 1

    async with running([task]):
        await asyncio.sleep(0.05)
    assert runs == 1


def test_the_description_carries_access_and_problems(routers: list[APIRouter]) -> None:
    described = json.loads(dump(describe(title="Example", routers=routers)))
    operation = described["paths"]["/api/example/things/{thing_id}"]["post"]
    assert operation["x-smartcourse-access"] == {"allow": ["public"], "rate": "default"}
    assert operation["operationId"] == "create_thing"
    problem = operation["responses"]["422"]["content"]["application/problem+json"]["schema"]
    assert problem == {"$ref": "#/components/schemas/Problem"}
    assert described["components"]["schemas"].keys() >= {"Problem", "FieldProblem", "Credentials"}
    assert "HTTPValidationError" not in described["components"]["schemas"]


def answers(access_: dict[str, Any], **options: Any) -> set[int]:
    """The problems that a description of this one route tells of."""

    async def act(
        thing: str, if_match: Annotated[str | None, Header()] = None, body: Annotated[Any, Body()] = None
    ) -> None:
        """Takes all that can go wrong."""

    async def stand() -> None:
        """Takes nothing."""

    router = APIRouter()
    takes_all = options.pop("takes_all", True)
    path, endpoint = ("/{thing}", act) if takes_all else ("/thing", stand)
    router.add_api_route(path, endpoint, methods=["PUT"], openapi_extra=access_, **options)
    responses = document(describe(title="Example", routers=[router]))["paths"][path]["put"]["responses"]
    return {int(status) for status in responses} - {200}


def test_a_description_tells_of_the_problems_that_a_route_implies_and_names() -> None:
    taken = {400, 404, 412, 413, 422, 503}
    assert answers(access("public")) == taken
    assert answers(access("authenticated")) == taken | {401}
    assert answers(access("student", "admin")) == taken | {401, 403}
    assert answers(access("public"), takes_all=False) == {503}
    assert answers(access("public"), takes_all=False, responses=problems(409)) == {409, 503}


def test_what_a_route_says_of_a_problem_itself_is_kept() -> None:
    router = APIRouter()
    own = {404: {"description": "A page", "content": {"text/html": {"schema": {"type": "string"}}}}}
    router.add_api_route("/{thing}", lambda thing: thing, responses=own, openapi_extra=access("public"))
    described = document(describe(title="Example", routers=[router]))
    assert described["paths"]["/{thing}"]["get"]["responses"]["404"] == own[404]


def test_a_limit_of_the_body_travels_in_the_description(routers: list[APIRouter]) -> None:
    described = json.loads(dump(describe(title="Example", routers=routers)))
    operation = described["paths"]["/api/example/uploads/{name}"]["post"]
    assert operation["x-smartcourse-access"] == {"allow": ["public"], "rate": "default", "maxBodyBytes": 5000}
    with pytest.raises(ValueError, match="must be positive"):
        access("public", max_body_bytes=0)


def test_the_description_is_the_same_with_and_without_settings(
    settings: ServiceSettings, routers: list[APIRouter]
) -> None:
    running_app = create_app(settings, title="Example", routers=routers)
    assert dump(running_app) == dump(describe(title="Example", routers=routers))
    assert dump(running_app) == dump(running_app)
    assert dump(running_app).endswith("}\n")


def test_a_route_without_access_is_reported() -> None:
    router = APIRouter()
    router.add_api_route("/open", lambda: None)
    with pytest.raises(ValueError, match=r"GET /open declares no access"):
        dump(describe(title="Example", routers=[router]))


def test_two_routes_of_one_name_are_reported() -> None:
    router = APIRouter()
    for path in ("/a", "/b"):
        router.add_api_route(path, lambda: None, name="same", openapi_extra=access("public"))
    with pytest.raises(ValueError, match="same"):
        dump(describe(title="Example", routers=[router]))
