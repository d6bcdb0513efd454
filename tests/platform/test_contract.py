"""The published contract, held by Schemathesis: what it generates is sent through the gateway by each class of caller.

Each operation is tried on things of its own, so that what one destroys is there for the next. Beside the systematic
requests every operation gets `CONTRACT_EXAMPLES` random ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.generation.meta import TestPhase
from schemathesis.pytest._test_builder import build_operation_test  # its collector gives all cases one name
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from .operations import CALLERS, DOCUMENT, OPERATIONS, Operation, may
from .processes import RunningPlatform
from .world import ANSWERS, BROWSER, QUIZ_LESSON, Scene, World

Case = schemathesis.Case[Any]
KEY = "Idempotency-Key"
MANY = 10
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "4"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    negative_data_rejection,
]
TELLING_BODIES: dict[str, Any] = {
    "POST /api/courses/{course_id}/modules/{module_id}/lessons": QUIZ_LESSON,
    "POST /api/quizzes/{lesson_id}/submit": ANSWERS,
    "POST /api/notifications/push/subscriptions": BROWSER,
    "PATCH /api/users/{user_id}": {"role": "instructor"},
}
"""Sent beside what is generated, for a generator would hardly hit upon them."""
KNOWING_BODIES: dict[str, Callable[[Scene], Any]] = {
    "POST /api/enrollments": lambda scene: {"course_id": scene.open_course_id},
    "POST /api/auth/login": lambda scene: {"email": scene.newcomer.email, "password": scene.newcomer.password},
    "POST /api/auth/refresh": lambda scene: {"refresh_token": scene.newcomer.tokens["refresh_token"]},
    "POST /api/auth/change-password": lambda scene: dict.fromkeys(
        ["current_password", "new_password"], scene.world.student.password
    ),
}
"""Sent once, in the place of all good bodies, which by themselves could not know what exists."""
WITHOUT_SUCCESS = {
    f"{method} /api/notifications/dead-letters/{letter}"
    for method, letter in (
        ("DELETE", "deliveries/{delivery_id}"),
        ("POST", "deliveries/{delivery_id}/replay"),
        ("DELETE", "events/{letter_id}"),
        ("POST", "events/{letter_id}/replay"),
    )
}
"""Nothing has failed here that could be given up or tried again."""
LARGEST_REAL_ID = 1_000_000
"""What lies beyond is sent as it was generated, to meet the limits of integers."""
PLACES = {
    ("lesson_id", "/api/quizzes/"): "quiz_id",
    ("lesson_id", "/complete"): "taken_lesson_id",
    ("user_id", "/api/instructors/"): "instructor_id",
    ("key_id", "/api/users/{user_id}/"): "newcomers_key_id",
}
"""Paths on which a name means something more particular."""


def contract() -> schemathesis.BaseSchema:
    described = deepcopy(DOCUMENT)
    for label, body in TELLING_BODIES.items():
        method, path = label.split()
        described["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["example"] = body
    generation = {
        "mode": "all",
        "max-examples": EXAMPLES,
        "deterministic": EXAMPLES < MANY,  # a gate says the same of the same code
        "no-shrink": True,  # what failed may have changed what it was about
        "with-security-parameters": False,  # who calls is not left to chance
        "database": "none",
    }
    checks = {"negative_data_rejection": {"expected-statuses": ["4xx"]}}
    phases: dict[str, Any] = {"coverage": {"unexpected-methods": []}}  # `test_access` sends those
    config = schemathesis.Config.from_dict({"generation": generation, "checks": checks, "phases": phases})
    return schemathesis.openapi.from_dict(described, config=config)


CONTRACT = contract()


class Stage:
    """Has cases be about things that exist, and sends them as each caller."""

    def __init__(self, url: str, world: World) -> None:
        self._url, self._world = url, world
        self._session = requests.Session()
        self._known: Any = None

    def close(self) -> None:
        self._session.close()

    def furnish(self, case: Case, scene: Scene) -> bool:
        """Put real things in the place of generated ones, but where a case is about their absence.

        False if that makes the case the same as one before.
        """
        if not _is_wrong(case, ParameterLocation.PATH):
            case.path_parameters = {
                name: value if _is_boundary(case, value) else _real(case, scene, name, value)
                for name, value in case.path_parameters.items()
            }
        is_header_wrong = _is_wrong(case, ParameterLocation.HEADER)
        if not is_header_wrong and case.headers.get(KEY):
            case.headers[KEY] = str(uuid4())  # the generated one may have been another request's
        body = KNOWING_BODIES.get(case.operation.label)
        if body is None or _is_wrong(case, ParameterLocation.BODY):
            return True
        case.body = body(scene)
        if is_header_wrong:
            return True  # refused for that: the body's turn is still to come
        is_new = bool(self._known != case.body)
        self._known = case.body
        return is_new

    def call(self, case: Case, caller: str) -> schemathesis.Response:
        answer = case.call(self._url, session=self._session, headers=self._world.headers(caller))
        if case.operation.label == "POST /api/auth/logout" and answer.status_code == 204:
            self._world.log_in_again(caller)
        return answer


def _is_wrong(case: Case, place: ParameterLocation) -> bool:
    return case.meta is not None and case.meta.is_negative_at(place)


def _is_boundary(case: Case, value: Any) -> bool:
    is_systematic = case.meta is not None and case.meta.phase.name is TestPhase.COVERAGE
    return is_systematic and isinstance(value, int) and value > LARGEST_REAL_ID


def _real(case: Case, scene: Scene, name: str, value: Any) -> Any:
    meant = (more for (which, where), more in PLACES.items() if which == name and where in case.operation.path)
    found = scene.find(next(meant, name))
    return value if found is None else found


def refuses_who_may_not(case: Case, caller: str, status: int) -> None:
    """The gateway looks at who sends a request before anybody looks at what it says."""
    access = case.operation.definition.raw["x-smartcourse-access"]
    if case.method.upper() != case.operation.method.upper() or may(caller, frozenset(access["allow"])):
        return
    refusals = {401} if caller == "anonymous" else {403}
    if any(_is_wrong(case, place) for place in (ParameterLocation.PATH, ParameterLocation.QUERY)):
        refusals |= {400, 404, 405, 414}  # the address may be none, or another's
    assert status in refusals, f"{case.operation.label} answered {status} to {caller}"


@pytest.fixture(scope="module")
def stage(running: RunningPlatform, world: World) -> Iterator[Stage]:
    stage = Stage(running.url, world)
    yield stage
    stage.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_answer_keeps_what_the_document_promises(operation: Operation, stage: Stage, world: World) -> None:
    scene = Scene(world)
    callers = CALLERS if operation.reads_token else CALLERS[:1]
    has_succeeded = False

    def keeps(case: Case) -> None:
        nonlocal has_succeeded
        if not stage.furnish(case, scene):
            return
        for caller in callers:
            answer = stage.call(case, caller)
            refuses_who_may_not(case, caller, answer.status_code)
            case.validate_response(answer, checks=CHECKS)
            has_succeeded |= answer.status_code < 300

    build_operation_test(
        config=CONTRACT.config,
        operation=CONTRACT[operation.path][operation.method],
        test_func=keeps,
        given_kwargs={},
        feedback=FeedbackSources(),
    )()
    assert has_succeeded or operation.label in WITHOUT_SUCCESS, "nothing that was sent succeeded"
