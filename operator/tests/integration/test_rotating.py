"""Generated secrets replaced, on a real API server."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

import pytest

from smartcourse_operator.core.objects import DEPLOYMENT, EVENT, JOB, SECRET, SMART_COURSE, STATEFUL_SET, Document
from smartcourse_operator.core.rotation import annotation
from smartcourse_operator.core.status import Rotated, RotationPhase
from smartcourse_operator.reconcile.keeper import decode

from .conftest import MakeOperator, Runner
from .test_restarting import SHORT_LEASE_SECONDS
from .world import Machinery, Platform, eventually

SECRETS = {
    Rotated.JWT: "academy-auth", Rotated.IDENTITY: "academy-auth", Rotated.DATABASE: "academy-course-db",
    Rotated.MONGODB: "academy-course-mongodb", Rotated.REDIS: "academy-redis",
}  # fmt: skip
LOGINS = (Rotated.DATABASE, Rotated.MONGODB, Rotated.REDIS)
KEYS = {Rotated.JWT: "jwt-secret", Rotated.IDENTITY: "identity-key", **dict.fromkeys(LOGINS, "password")}
LAST = {what: "retained" if what is Rotated.JWT else "completed" for what in Rotated}
BOUNDARIES = [
    *((Rotated.JWT, phase) for phase in (RotationPhase.INTRODUCED, RotationPhase.PROMOTED, RotationPhase.RETAINED)),
    *(
        (what, phase)
        for what in (Rotated.IDENTITY, *LOGINS)
        for phase in (
            RotationPhase.INTRODUCED, RotationPhase.PROMOTED, RotationPhase.RETIRING, RotationPhase.COMPLETED,
        )
    ),
]  # fmt: skip


async def ask(platform: Platform, what: Rotated, text: str = "now") -> None:
    patch = {"metadata": {"annotations": {f"smartcourse.io/rotate-{what.value}": text}}}
    await platform.cluster.merge(SMART_COURSE, platform.namespace, "academy", patch)


async def secret(platform: Platform, name: str) -> Document:
    found = await platform.cluster.find(SECRET, platform.namespace, name)
    assert found
    return found


async def contents(platform: Platform, what: Rotated) -> dict[str, str]:
    return decode(await secret(platform, SECRETS[what]))


async def told(platform: Platform, what: Rotated) -> Document:
    rotations = ((await platform.get()).get("status") or {}).get("rotations") or []
    return next((one for one in rotations if one["secret"] == what), {})


async def until(platform: Platform, what: Rotated, phase: str) -> Document:
    async def reached() -> Document | None:
        found = await told(platform, what)
        return found if found.get("phase") == phase else None

    return await eventually(reached, what=f"the rotation of {what} to be {phase}")


@pytest.fixture
async def ready(operator: Runner, platform: Platform) -> Runner:
    await platform.create()
    await platform.until_ready()
    return operator


@pytest.mark.parametrize("what", Rotated)
@pytest.mark.usefixtures("ready")
async def test_a_rotation_is_asked_for_by_an_annotation_and_done_once(platform: Platform, what: Rotated) -> None:
    before = await contents(platform, what)
    await ask(platform, what)
    found = await until(platform, what, LAST[what])
    assert found["request"] == "now"
    after = await contents(platform, what)
    key = KEYS[what]
    assert after[key] != before[key]
    if what in LOGINS:
        assert urlsplit(after["url"]).username.endswith("_b")
        assert urlsplit(after["url"]).password == after["password"]
    if what is Rotated.JWT:
        assert after["jwt-secret-previous"] == before["jwt-secret"]
    await platform.until_ready()
    await asyncio.sleep(3)
    assert await contents(platform, what) == after


@pytest.mark.usefixtures("ready")
async def test_the_database_is_provisioned_with_each_step_before_the_services_use_it(
    platform: Platform, machinery: Machinery
) -> None:
    machinery.held.add("provision")
    await ask(platform, Rotated.DATABASE)
    await until(platform, Rotated.DATABASE, "introduced")

    async def jobs() -> list[Document]:
        found = await platform.cluster.select(JOB, platform.namespace, "app.kubernetes.io/component=postgres")
        return [one for one in found if not (one.get("status") or {}).get("completionTime")]

    (job,) = await eventually(jobs, what="a Job that sets the idle roles' passwords")
    env = {one["name"]: one for one in job["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["USER_A_PASSWORD"]["valueFrom"]["secretKeyRef"]["key"] == "password"
    assert env["USER_B_PASSWORD"]["valueFrom"]["secretKeyRef"]["key"] == "spare-password"
    await asyncio.sleep(2)
    assert "course_a" in (await contents(platform, Rotated.DATABASE))["url"], "not promoted before the Job is done"
    machinery.held.clear()
    await until(platform, Rotated.DATABASE, "completed")
    await platform.until_ready()
    (last,) = await platform.cluster.select(JOB, platform.namespace, "app.kubernetes.io/component=postgres")
    names = {one["name"] for one in last["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert "USER_B_PASSWORD" in names
    assert "USER_A_PASSWORD" not in names
    assert "course_b" in (await contents(platform, Rotated.DATABASE))["url"]


@pytest.mark.parametrize(("what", "component"), [(Rotated.MONGODB, "course"), (Rotated.REDIS, "redis")])
@pytest.mark.usefixtures("ready")
async def test_a_stores_users_are_set_before_the_services_change_over_and_the_store_is_not_restarted(
    platform: Platform, machinery: Machinery, what: Rotated, component: str
) -> None:
    async def templates() -> list[Document]:
        found = await platform.cluster.select(STATEFUL_SET, platform.namespace, "")
        return [one["spec"]["template"] for one in found]

    async def jobs() -> list[Document]:
        selector = f"app.kubernetes.io/component={component},smartcourse.io/phase=provision"
        found = await platform.cluster.select(JOB, platform.namespace, selector)
        return [one for one in found if not (one.get("status") or {}).get("completionTime")]

    before, login = await templates(), (await contents(platform, what))["url"]
    machinery.held.add("provision")
    await ask(platform, what)
    await until(platform, what, "introduced")
    (job,) = await eventually(jobs, what="a Job that sets the idle user's password")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    refs = [one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one]
    wanted = {"name": SECRETS[what], "key": "spare-password", "optional": True}
    assert wanted in refs
    await asyncio.sleep(2)
    assert (await contents(platform, what))["url"] == login, "not promoted before the Job is done"
    machinery.held.clear()
    await until(platform, what, "completed")
    await platform.until_ready()
    assert await templates() == before


async def test_a_redis_of_ones_own_is_not_rotated_and_its_remedy_is_told(operator: Runner, platform: Platform) -> None:
    document = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "namespace": platform.namespace},
        "stringData": {"url": "redis://:secret@elsewhere:6379/0"},
    }  # fmt: skip
    await platform.cluster.create(SECRET, document)
    await platform.create(databases={"redis": {"mode": "external", "secretName": "mine"}})
    await platform.until_ready()
    await ask(platform, Rotated.REDIS)
    found = await until(platform, Rotated.REDIS, "refused")
    assert "Secret mine is yours: write the new url" in found["message"]


@pytest.mark.parametrize(("what", "boundary"), BOUNDARIES)
async def test_an_operator_killed_at_a_boundary_of_a_rotation_ends_in_the_same_state(
    make_operator: MakeOperator, platform: Platform, what: Rotated, boundary: RotationPhase
) -> None:
    first = make_operator()
    first.start()
    await platform.create()
    await platform.until_ready()
    before = await contents(platform, what)
    await ask(platform, what)

    async def written() -> Document | None:
        found = await secret(platform, SECRETS[what])
        text = (found["metadata"].get("annotations") or {}).get(annotation(what))
        mark: Document = json.loads(text) if text else {}
        phases = [phase.value for phase in RotationPhase]
        return mark if mark and phases.index(mark["phase"]) >= phases.index(boundary) else None

    mark = await eventually(written, what=f"{boundary} to be written", timeout_seconds=60, every_seconds=0.02)
    assert mark
    await first.kill()
    values = set((await contents(platform, what)).values()) | set(before.values())
    make_operator(lease_duration_seconds=SHORT_LEASE_SECONDS).start()
    await until(platform, what, LAST[what])
    text = (await secret(platform, SECRETS[what]))["metadata"]["annotations"][annotation(what)]
    assert json.loads(text)["startedAt"] == mark["startedAt"], "one rotation of this Secret, taken up again"
    await platform.until_ready()
    after = await contents(platform, what)
    assert after.keys() - before.keys() == ({"jwt-secret-previous"} if what is Rotated.JWT else set())
    key = KEYS[what]
    assert after[key] != before[key]
    assert after[key] in values, "the value that was introduced, no other"


@pytest.mark.usefixtures("ready")
async def test_a_rotation_waits_while_a_rollout_is_under_way(platform: Platform, machinery: Machinery) -> None:
    machinery.held.add("services")
    await platform.change(services={"user": {"env": {"LOG_LEVEL": "DEBUG"}}})
    await asyncio.sleep(1)
    before = await contents(platform, Rotated.IDENTITY)
    await ask(platform, Rotated.IDENTITY)
    found = await until(platform, Rotated.IDENTITY, "waiting")
    assert "Ready" in found["message"]
    await asyncio.sleep(2)
    assert await contents(platform, Rotated.IDENTITY) == before
    machinery.held.clear()
    await until(platform, Rotated.IDENTITY, "completed")


@pytest.mark.usefixtures("ready")
async def test_the_old_signing_key_is_removed_when_its_tokens_have_expired(platform: Platform) -> None:
    await ask(platform, Rotated.JWT)
    await until(platform, Rotated.JWT, "retained")
    found = await secret(platform, "academy-auth")
    mark = json.loads(found["metadata"]["annotations"][annotation(Rotated.JWT)])
    aged = json.dumps({**mark, "since": "2020-01-01T00:00:00Z"})
    patch = {"metadata": {"annotations": {annotation(Rotated.JWT): aged}}}
    await platform.cluster.merge(SECRET, platform.namespace, "academy-auth", patch)
    assert (await until(platform, Rotated.JWT, "completed"))["completedAt"]
    assert "jwt-secret-previous" not in await contents(platform, Rotated.JWT)
    await platform.until_ready()


async def test_age_makes_a_rotation_by_itself(operator: Runner, platform: Platform) -> None:
    await platform.create(rotation={"identityDays": 30})
    await platform.until_ready()
    assert not await told(platform, Rotated.IDENTITY)
    old = {"phase": "completed", "request": "", "startedAt": "2020-01-01T00:00:00Z", "since": "2020-01-01T00:00:00Z"}
    patch = {"metadata": {"annotations": {annotation(Rotated.IDENTITY): json.dumps(old)}}}
    before = await contents(platform, Rotated.IDENTITY)
    await platform.cluster.merge(SECRET, platform.namespace, "academy-auth", patch)

    async def renewed() -> bool:
        found = await told(platform, Rotated.IDENTITY)
        return found.get("phase") == "completed" and not found["startedAt"].startswith("2020")

    await eventually(renewed, what="the key to be replaced")
    assert (await contents(platform, Rotated.IDENTITY))["identity-key"] != before["identity-key"]


async def test_keys_of_ones_own_are_not_rotated_and_what_is_written_there_reaches_the_pods(
    operator: Runner, platform: Platform
) -> None:
    keys = {"jwt-secret": "j" * 32, "identity-key": "i" * 32}
    document = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "namespace": platform.namespace},
        "stringData": keys,
    }  # fmt: skip
    await platform.cluster.create(SECRET, document)
    await platform.create(auth={"secretName": "mine"})
    await platform.until_ready()
    await ask(platform, Rotated.IDENTITY)
    found = await until(platform, Rotated.IDENTITY, "refused")
    assert "Secret mine is yours" in found["message"]
    events = await platform.cluster.select(EVENT, platform.namespace, "")
    assert any(one["reason"] == "RotationRefused" and one["type"] == "Warning" for one in events)

    async def digest() -> str:
        found = await platform.cluster.find(DEPLOYMENT, platform.namespace, "academy-course")
        assert found
        return str(found["spec"]["template"]["metadata"]["annotations"]["smartcourse.io/auth-secret-hash"])

    first = await digest()
    more = {"stringData": {"identity-key-previous": "n" * 32}}
    await platform.cluster.merge(SECRET, platform.namespace, "mine", more)

    async def changed() -> bool:
        return await digest() != first

    await eventually(changed, what="the second key to reach the pods")
