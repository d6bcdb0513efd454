"""What is written next into a Secret whose value is rotated."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from smartcourse_operator.core import rotation
from smartcourse_operator.core.credentials import SPARE_PASSWORD, SecretInvalidError
from smartcourse_operator.core.rotation import Machine, Mark, Step, Wish
from smartcourse_operator.core.spec import SmartCourseSpec
from smartcourse_operator.core.status import Rotated, RotationPhase

NOW = datetime(2026, 5, 1, tzinfo=UTC)
KEEP = timedelta(days=7)
MACHINES = rotation.machines("academy", SmartCourseSpec())
CONTENTS = {
    Rotated.JWT: {"jwt-secret": "old", "identity-key": "other"},
    Rotated.IDENTITY: {"jwt-secret": "other", "identity-key": "old"},
    Rotated.DATABASE: {"password": "old", "url": "postgresql://user_a:old@host:5432/smartcourse?sslmode=require"},
    Rotated.MONGODB: {
        "password": "old",
        "url": "mongodb://course:old@one:27017,two:27017/smartcourse?authSource=admin",
    },
    Rotated.REDIS: {"password": "old", "url": "redis://:old@host:6379/0"},
}
KEYS = {Rotated.JWT: "jwt-secret", Rotated.IDENTITY: "identity-key"}
LOGINS = (Rotated.DATABASE, Rotated.MONGODB, Rotated.REDIS)
VALUE = KEYS | dict.fromkeys(LOGINS, "password")


def machine(what: Rotated) -> Machine:
    return next(
        one for one in MACHINES if one.what is what and one.suffix in ("auth", "user-db", "course-mongodb", "redis")
    )


def wish(request: str = "", days: int = 0) -> Wish:
    return Wish(request, days, born=NOW - timedelta(days=30))


def after(what: Rotated, contents: dict[str, str], mark: Mark | None, *, request: str = "", days: int = 0,
          now: datetime = NOW) -> Step | None:  # fmt: skip
    return rotation.next_step(
        machine(what), mark, contents, wish(request, days), keep=KEEP, now=now, generate=lambda: "new"
    )


def applied(contents: dict[str, str], step: Step) -> dict[str, str]:
    return {key: value for key, value in {**contents, **step.changes}.items() if value is not None}


def run(what: Rotated) -> tuple[list[RotationPhase], list[dict[str, str]]]:
    """Return the phases and contents that a rotation goes through, time passing where it has to."""
    contents, mark, phases, seen = dict(CONTENTS[what]), None, [], [dict(CONTENTS[what])]
    for day in range(0, 60, 10):
        step = after(what, contents, mark, request="now", now=NOW + timedelta(days=day))
        if step is None:
            break
        contents, mark = applied(contents, step), step.mark
        phases.append(mark.phase)
        seen.append(contents)
    return phases, seen


@pytest.mark.parametrize("what", Rotated)
def test_a_rotation_ends_with_the_new_value_alone(what: Rotated) -> None:
    phases, seen = run(what)
    between = [RotationPhase.RETAINED] if what is Rotated.JWT else []
    assert phases == [
        RotationPhase.INTRODUCED,
        RotationPhase.PROMOTED,
        *between,
        RotationPhase.RETIRING,
        RotationPhase.COMPLETED,
    ]
    assert seen[-1].keys() == CONTENTS[what].keys()
    assert seen[-1][VALUE[what]] == "new"
    assert "old" not in seen[-1].values()


@pytest.mark.parametrize("what", Rotated)
def test_pods_of_two_neighbouring_steps_accept_each_other(what: Rotated) -> None:
    _, seen = run(what)
    other = SPARE_PASSWORD if what in LOGINS else f"{VALUE[what]}-previous"
    for before, later in itertools.pairwise(seen):
        assert later[VALUE[what]] in (before[VALUE[what]], before.get(other))
        assert before[VALUE[what]] in (later[VALUE[what]], later.get(other))


@pytest.mark.parametrize(
    ("what", "url"),
    [
        (Rotated.DATABASE, "postgresql://user_{}:new@host:5432/smartcourse?sslmode=require"),
        (Rotated.MONGODB, "mongodb://course{}:new@one:27017,two:27017/smartcourse?authSource=admin"),
        (Rotated.REDIS, "redis://default{}:new@host:6379/0"),
    ],
)
def test_a_login_moves_to_the_idle_user_and_back(what: Rotated, url: str) -> None:
    first, second = ("a", "b") if what is Rotated.DATABASE else ("", "_b")
    _, seen = run(what)
    assert seen[1]["url"] == seen[0]["url"], "the new password is set before it is used"
    assert seen[2]["url"] == url.format(second)
    assert seen[2][SPARE_PASSWORD] == "old"
    done = Mark(RotationPhase.COMPLETED, "now", NOW, NOW)
    contents = seen[-1]
    for request in ["again"] * 4:
        step = after(what, contents, done, request=request)
        assert step
        contents, done = applied(contents, step), step.mark
    assert contents["url"] == url.format(first)


def test_a_login_of_neither_user_is_not_rotated() -> None:
    with pytest.raises(SecretInvalidError, match="user_a and user_b"):
        after(Rotated.DATABASE, {"password": "x", "url": "postgresql://root:x@host/smartcourse"}, None, request="now")


def test_a_request_is_done_once_and_another_text_is_another_request() -> None:
    done = Mark(RotationPhase.COMPLETED, "one", NOW, NOW)
    contents = CONTENTS[Rotated.IDENTITY]
    assert after(Rotated.IDENTITY, contents, done, request="one") is None
    assert after(Rotated.IDENTITY, contents, done) is None
    assert after(Rotated.IDENTITY, contents, done, request="two")


def test_age_asks_for_a_rotation_and_leaves_an_old_request_done() -> None:
    contents = CONTENTS[Rotated.IDENTITY]
    assert after(Rotated.IDENTITY, contents, None, days=31) is None
    assert after(Rotated.IDENTITY, contents, None, days=30)
    done = Mark(RotationPhase.COMPLETED, "one", NOW - timedelta(days=5), NOW)
    assert after(Rotated.IDENTITY, contents, done, days=6) is None
    step = after(Rotated.IDENTITY, contents, done, days=5)
    assert step
    assert step.mark.request == "one"


def test_the_old_signing_key_stays_for_the_refresh_lifetime() -> None:
    retained = Mark(RotationPhase.RETAINED, "one", NOW, NOW)
    contents = {**CONTENTS[Rotated.JWT], "jwt-secret-previous": "older"}
    assert after(Rotated.JWT, contents, retained, request="two", now=NOW + KEEP - timedelta(seconds=1)) is None
    step = after(Rotated.JWT, contents, retained, request="two", now=NOW + KEEP)
    retiring = replace(retained, phase=RotationPhase.RETIRING, since=NOW + KEEP)
    assert step == Step({"jwt-secret-previous": None}, retiring)


def test_keys_that_somebody_brings_are_not_rotated_and_a_request_is_answered() -> None:
    spec = SmartCourseSpec.model_validate({"auth": {"secretName": "mine"}})
    assert {one.what for one in rotation.machines("academy", spec)} == set(LOGINS)
    told = rotation.told(spec, {"smartcourse.io/rotate-jwt": "now"}, [], waits="")
    assert [(one.secret, one.phase) for one in told] == [(Rotated.JWT, RotationPhase.REFUSED)]
    assert "Secret mine is yours" in told[0].message


def test_a_redis_of_ones_own_is_not_rotated_and_every_mongodb_is() -> None:
    outside = {store: {"mode": "external", "secretName": f"my-{store}"} for store in ("postgres", "mongodb", "redis")}
    spec = SmartCourseSpec.model_validate({"databases": outside})
    assert {one.what for one in rotation.machines("academy", spec)} == set(Rotated) - {Rotated.REDIS}
    told = rotation.told(spec, {"smartcourse.io/rotate-redis": "now"}, [], waits="")
    assert [(one.secret, one.phase) for one in told] == [(Rotated.REDIS, RotationPhase.REFUSED)]
    assert "Secret my-redis is yours: write the new url" in told[0].message


@pytest.mark.parametrize("text", [None, "", "{}", "[]", '{"phase": "sideways"}', "introduced"])
def test_a_mark_that_cannot_be_read_is_none(text: str | None) -> None:
    assert Mark.read(text) is None


def test_a_mark_is_read_as_it_was_written() -> None:
    mark = Mark(RotationPhase.PROMOTED, "now", NOW, NOW + timedelta(minutes=1))
    assert Mark.read(mark.text()) == mark


def test_the_status_tells_the_slowest_of_three_logins_and_what_is_asked_for() -> None:
    logins = [one for one in MACHINES if one.what is Rotated.DATABASE]
    done = Mark(RotationPhase.COMPLETED, "one", NOW, NOW)
    marks = list(zip(logins, [done, replace(done, phase=RotationPhase.PROMOTED), done], strict=True))
    told = rotation.told(SmartCourseSpec(), {}, marks, waits="")
    assert [(one.phase, one.completed_at) for one in told] == [(RotationPhase.PROMOTED, None)]
    asked = {"smartcourse.io/rotate-database": "two"}
    waiting = rotation.told(SmartCourseSpec(), asked, [(one, done) for one in logins], waits="until it is Ready")
    assert [(one.phase, one.message) for one in waiting] == [(RotationPhase.WAITING, "until it is Ready")]
