"""From a resource to a Ready platform."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from smartcourse_operator.core.names import instance_selector
from smartcourse_operator.core.objects import CONFIG_MAP, DEPLOYMENT, JOB, POD, SECRET, STATEFUL_SET, Document
from smartcourse_operator.core.phases import ORDER

from .conftest import Gateways, MakeOperator, Runner
from .world import Machinery, Platform, eventually


async def phase(platform: Platform) -> str:
    return str(((await platform.get()).get("status") or {}).get("phase", ""))


async def secret(platform: Platform, name: str) -> dict[str, str]:
    found = await platform.cluster.find(SECRET, platform.namespace, name)
    assert found, f"Secret {name} is not there"
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


async def create_secret(platform: Platform, name: str, **values: str) -> None:
    document: Document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": platform.namespace},
        "stringData": {key.replace("_", "-"): value for key, value in values.items()},
    }
    await platform.cluster.create(SECRET, document)


async def test_the_smallest_resource_becomes_ready(platform: Platform, operator: Runner) -> None:
    await platform.create()
    status = (await platform.until_ready())["status"]
    assert (status["phase"], status["version"], status["url"]) == ("ready", "1.0.0", "http://localhost:8080")
    assert status["releases"] == [{"version": "1.0.0", "upgradeFrom": []}]
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "Ready": "True", "DatabasesReady": "True", "SchemaMigrated": "True", "ServicesReady": "True",
        "RouteReady": "True", "Degraded": "False", "Paused": "False",
    }  # fmt: skip
    assert {entry["kind"] for entry in status["inventory"]} >= {
        "Deployment",
        "StatefulSet",
        "Service",
        "Ingress",
        "Job",
    }


async def test_generated_secrets_hold_what_the_services_are_given(platform: Platform, operator: Runner) -> None:
    await platform.create()
    await platform.until_ready()
    database = await secret(platform, "academy-user-db")
    assert database["url"] == f"postgresql://user_a:{database['password']}@academy-postgres:5432/smartcourse"
    assert all(len(value) >= 32 for value in (await secret(platform, "academy-auth")).values())
    assert set(await secret(platform, "academy-admin")) == {"email", "password"}
    assert set(await secret(platform, "academy-push")) == {"private-key", "public-key"}
    found = await platform.cluster.find(SECRET, platform.namespace, "academy-postgres")
    assert found
    assert "ownerReferences" not in found["metadata"]


async def test_databases_are_told_that_they_hold_data_without_being_restarted(
    platform: Platform, operator: Runner
) -> None:
    await platform.create()
    await platform.until_ready()

    async def told() -> bool:
        states = [await platform.cluster.find(CONFIG_MAP, platform.namespace, f"academy-{name}-state")
                  for name in ("postgres", "mongodb")]  # fmt: skip
        return [state["data"] for state in states if state] == [{"initialised": "true"}] * 2

    await eventually(told, what="the ConfigMaps to say so")
    for name in ("postgres", "mongodb"):
        found = await platform.cluster.find(STATEFUL_SET, platform.namespace, f"academy-{name}")
        assert found
        assert found["metadata"]["generation"] == 1


NEW_IMAGES = {part: f"registry.example/{part}:2" for part in ("user", "course", "notification", "gateway")}


async def images_that_run(platform: Platform) -> set[str]:
    found = await platform.cluster.select(DEPLOYMENT, platform.namespace, instance_selector("academy"))
    return {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in found}


async def test_where_nothing_serves_all_begins_at_once(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    machinery.held.update(one.value for one in ORDER)
    await platform.create()

    async def all_begun() -> bool:
        return await phase(platform) == "datastores" and len(await images_that_run(platform)) == len(NEW_IMAGES)

    await eventually(all_begun, what="the Deployments, and to be told that databases are waited for")
    assert await platform.cluster.select(JOB, platform.namespace, "smartcourse.io/phase=seed")
    machinery.held.clear()
    await platform.until_ready()


async def test_where_something_serves_a_phase_begins_only_when_the_one_it_needs_is_done(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    await platform.create()
    await platform.until_ready()
    before = await images_that_run(platform)
    machinery.held.update(one.value for one in ORDER)
    await platform.change(images=NEW_IMAGES)
    for held in ("provision", "migrations"):

        async def reached(wanted: str = held) -> bool:
            return await phase(platform) == wanted

        await eventually(reached, what=f"phase {held}")
        assert await images_that_run(platform) == before
        machinery.held.discard(held)
    machinery.held.clear()
    await platform.until_ready()
    assert await images_that_run(platform) == set(NEW_IMAGES.values())


async def test_a_failing_migration_is_told_and_stops_the_rollout_then_is_tried_anew(
    make_operator: MakeOperator, platform: Platform, machinery: Machinery
) -> None:
    make_operator(failed_job_retry_seconds=3).start()
    await platform.create()
    await platform.until_ready()
    before = await images_that_run(platform)
    machinery.failing.add("course-migrate")
    await platform.change(images=NEW_IMAGES)

    async def degraded() -> bool:
        return (await platform.condition("Degraded")).get("reason") == "JobFailed"

    await eventually(degraded, what="Degraded to say JobFailed")
    assert "academy-course-migrate" in (await platform.condition("SchemaMigrated"))["message"]
    assert await images_that_run(platform) == before
    machinery.failing.clear()
    await platform.until_ready()
    assert await images_that_run(platform) == set(NEW_IMAGES.values())


async def test_a_missing_secret_is_named_and_its_creation_is_noticed(platform: Platform, operator: Runner) -> None:
    await platform.create(databases={"postgres": {"mode": "external", "secretName": "outside"}})

    async def told() -> bool:
        found = await platform.condition("DatabasesReady")
        return (
            found.get("reason") == "SecretMissing" and "outside" in found["message"] and "admin-url" in found["message"]
        )

    await eventually(told, what="DatabasesReady to name the Secret")
    await create_secret(platform, "outside", admin_url="postgresql://root:pw@db.example:6432/postgres?sslmode=require")
    await platform.until_ready()
    database = await secret(platform, "academy-course-db")
    password = database["password"]
    assert database["url"] == f"postgresql://course_a:{password}@db.example:6432/smartcourse?sslmode=require"
    kept = {one["metadata"]["name"] for one in await platform.cluster.select(STATEFUL_SET, platform.namespace, "")}
    assert kept == {"academy-mongodb", "academy-redis"}


async def test_a_mail_secret_that_appears_later_reaches_the_pods(platform: Platform, operator: Runner) -> None:
    await platform.create()
    await platform.until_ready()

    async def digest() -> str | None:
        found = await platform.cluster.find(DEPLOYMENT, platform.namespace, "academy-notification")
        assert found
        value: str | None = found["spec"]["template"]["metadata"]["annotations"].get("smartcourse.io/email-secret-hash")
        return value

    assert await digest() is None
    await create_secret(platform, "academy-smtp", url="smtp://mail.example:25")
    await eventually(digest, what="the pods of notification-service to be replaced")


async def test_a_missing_secret_of_the_services_does_not_blame_the_databases(
    platform: Platform, operator: Runner
) -> None:
    await platform.create(events={"broker": "kafka", "kafkaSecretName": "brokers"})

    async def told() -> bool:
        found = await platform.condition("ServicesReady")
        return (
            found.get("reason") == "SecretMissing" and "brokers" in found["message"] and "bootstrap" in found["message"]
        )

    await eventually(told, what="ServicesReady to name the Secret")
    assert await platform.condition("DatabasesReady") == {}
    await create_secret(platform, "brokers", bootstrap_servers="one.example:9092", **{"ca.crt": "a certificate"})
    await platform.until_ready()
    found = await platform.cluster.find(DEPLOYMENT, platform.namespace, "academy-course")
    assert found
    (container,) = found["spec"]["template"]["spec"]["containers"]
    assert {"name": "EVENTS_BROKER", "value": "kafka"} in container["env"]
    assert {"name": "KAFKA_CA_FILE", "value": "/etc/smartcourse/kafka/ca.crt"} in container["env"]


@pytest.mark.parametrize(
    ("issuer", "reason", "words"),
    [
        ({}, "SecretMissing", "the Secret certificate with the key tls.crt"),
        ({"issuer": {"name": "ours"}}, "CertificateAwaited", "cert-manager's Issuer ours has not issued"),
    ],
)
async def test_a_missing_certificate_is_told_of_the_route_alone_and_its_creation_is_noticed(
    platform: Platform, operator: Runner, issuer: dict[str, Any], reason: str, words: str
) -> None:
    await platform.create(route={"host": "academy.example", "tls": {"secretName": "certificate", **issuer}})

    async def told() -> bool:
        found = await platform.condition("RouteReady")
        return found.get("reason") == reason and words in found["message"]

    async def serves() -> bool:
        return (await platform.condition("ServicesReady")).get("status") == "True"

    await eventually(told, what="RouteReady to name the Secret")
    await eventually(serves, what="the services to be brought about all the same")
    assert (await platform.condition())["reason"] == reason
    await create_secret(platform, "certificate", **{"tls.crt": "a certificate", "tls.key": "its key"})
    await platform.until_ready()


async def test_a_bad_image_is_told_with_the_pods_own_reason(
    platform: Platform, operator: Runner, machinery: Machinery
) -> None:
    machinery.held.add("services")
    await platform.create(images={"user": "nowhere.example/user-service:0"})

    async def applied() -> Document | None:
        return await platform.cluster.find(DEPLOYMENT, platform.namespace, "academy-user")

    deployment = await eventually(applied, what="the Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    pod: Document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "academy-user-1", "namespace": platform.namespace, "labels": labels},
        "spec": {"containers": [{"name": "user", "image": "nowhere.example/user-service:0"}]},
    }
    await platform.cluster.create(POD, pod)
    reason = {"waiting": {"reason": "ImagePullBackOff", "message": "no such host nowhere.example"}}
    status = {"name": "user", "state": reason, "ready": False, "restartCount": 0, "image": "", "imageID": ""}
    patch = {"status": {"containerStatuses": [status]}}
    await platform.cluster.merge(POD, platform.namespace, "academy-user-1", patch, subresource="status")

    async def told() -> bool:
        found = await platform.condition("Degraded")
        return found.get("reason") == "ImagePullBackOff" and "nowhere.example" in found["message"]

    await eventually(told, what="Degraded to say ImagePullBackOff")
    machinery.held.clear()
    await platform.until_ready()


async def test_it_is_ready_only_when_the_gateway_answers(
    platform: Platform, operator: Runner, gateways: Gateways
) -> None:
    gateways.problems[platform.namespace] = "the gateway answers 503"
    await platform.create()

    async def told() -> bool:
        return (await platform.condition()).get("reason") == "GatewayUnhealthy"

    await eventually(told, what="Ready to say GatewayUnhealthy")
    gateways.problems.clear()
    await platform.until_ready()


async def test_a_gateway_that_speaks_proxy_protocol_is_asked_at_its_probes_port(
    platform: Platform, operator: Runner, gateways: Gateways
) -> None:
    route = {"className": "haproxy", "proxyProtocol": True, "trustedProxies": ["10.0.0.0/8"]}
    await platform.create(route=route)
    await platform.until_ready()
    assert gateways.ports[platform.namespace] == 8081


async def test_maintenance_is_a_rollout_of_the_gateway_alone(platform: Platform, operator: Runner) -> None:
    await platform.create()
    await platform.until_ready()
    before = await pod_templates(platform)
    await platform.change(maintenance=True)

    async def changed() -> set[str]:
        now = await pod_templates(platform)
        return {name for name in now if now[name] != before[name]}

    assert await eventually(changed, what="a rollout") == {"academy-gateway"}
    await platform.until_ready()
    assert "'name': 'MAINTENANCE', 'value': 'reads'" in str((await pod_templates(platform))["academy-gateway"])


async def pod_templates(platform: Platform) -> dict[str, Document]:
    found = await platform.cluster.select(DEPLOYMENT, platform.namespace, instance_selector("academy"))
    return {each["metadata"]["name"]: each["spec"]["template"] for each in found}


async def test_a_host_of_its_own_is_the_url_with_the_ports_of_the_public_one(
    platform: Platform, operator: Runner
) -> None:
    await platform.create(route={"host": "second.localhost"})
    assert (await platform.until_ready())["status"]["url"] == "http://second.localhost:8080"


async def test_two_resources_of_one_namespace_do_not_touch_each_other(platform: Platform, operator: Runner) -> None:
    await platform.create("one")
    await platform.create("two", route={"host": "two.localhost"})
    await platform.until_ready("one")
    await platform.until_ready("two")
    owners = {child["metadata"]["ownerReferences"][0]["name"] for child in await platform.children("two")}
    assert owners == {"two"}
    assert await secret(platform, "one-auth") != await secret(platform, "two-auth")
