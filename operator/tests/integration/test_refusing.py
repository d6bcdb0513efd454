"""What the API server refuses on the definition's behalf, by the field's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.testing.controlplane import ControlPlane
from smartcourse_operator.adapters.cluster import ApiError

from .world import Platform

SAMPLES = Path(__file__).resolve().parents[3] / "manifests" / "samples"


def read(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"databases": {"postgres": {"mode": "sideways"}}}, "spec.databases.postgres.mode"),
        ({"databases": {"postgres": {"mode": "external"}}}, "secretName"),
        ({"databases": {"redis": {"secretName": "outside"}}}, "secretName"),
        ({"databases": {"postgres": {"maxConnections": 500}}}, "maxConnections is for mode external only"),
        ({"databases": {"postgres": {"size": "much"}}}, "spec.databases.postgres.size"),
        ({"replicas": 0}, "replicas must be at least 1: spec.hibernated stops everything"),
        ({"replicas": 101}, "spec.replicas"),
        ({"services": {"user": {"replicas": -1}}}, "spec.services.user.replicas"),
        ({"services": {"user": {"replicas": 0}}}, "spec.services.user.replicas"),
        ({"services": {"user": {"autoscaling": {"minReplicas": 5, "maxReplicas": 2}}}}, "minReplicas"),
        (
            {"services": {"user": {"resources": {"limits": {"memory": "plenty"}}}}},
            "spec.services.user.resources.limits",
        ),
        ({"services": {"user": {"env": {"lower": "x"}}}}, "spec.services.user.env"),
        (
            {"services": {"user": {"podDisruptionBudget": {"maxUnavailable": "150%"}}}},
            "spec.services.user.podDisruptionBudget.maxUnavailable",
        ),
        ({"route": {"host": "not a host"}}, "spec.route.host"),
        ({"route": {"kind": "HTTPRoute"}}, "parentRef"),
        ({"route": {"tls": {"secretName": "tls"}}}, "host"),
        ({"route": {"corsOrigins": ["*"]}}, "spec.route.corsOrigins"),
        ({"route": {"corsOrigins": ["https://a.example/"]}}, "spec.route.corsOrigins"),
        ({"route": {"corsOrigins": ["https://a.example:443"]}}, "leave it out"),
        ({"route": {"trustedProxies": ["everybody"]}}, "spec.route.trustedProxies"),
        ({"route": {"proxyProtocol": True, "className": "haproxy"}}, "trustedProxies is required"),
        ({"route": {"proxyProtocol": True, "trustedProxies": ["10.0.0.0/8"]}}, "proxyProtocol cannot be used"),
        ({"services": {"gateway": {"tlsSecretName": "not a name"}}}, "spec.services.gateway.tlsSecretName"),
        ({"limits": {"heavyPerMinute": 0}}, "spec.limits.heavyPerMinute"),
        ({"route": {"mode": "sideways"}}, "spec.route.mode"),
        (
            {"route": {"mode": "forwardAuth", "kind": "HTTPRoute", "parentRef": {"name": "public"}}},
            "mode forwardAuth is for kind Ingress only",
        ),
        ({"route": {"mode": "forwardAuth", "className": "nginx"}}, "needs a className of Traefik's"),
        ({"route": {"dataPlaneNamespace": "No Namespace"}}, "spec.route.dataPlaneNamespace"),
        ({"route": {"retries": 4}}, "spec.route.retries"),
        ({"route": {"retries": -1}}, "spec.route.retries"),
        (
            {"route": {"retries": 2, "kind": "HTTPRoute", "parentRef": {"name": "public"}}},
            "retries are for kind Ingress only",
        ),
        ({"route": {"retries": 2, "className": "nginx"}}, "retries need a className of Traefik's"),
        ({"auth": {"accessTokenMinutes": 0}}, "spec.auth.accessTokenMinutes"),
        ({"auth": {"accessTokenMinutes": 1440, "refreshTokenDays": 1}}, "accessTokenMinutes"),
        ({"auth": {"refreshTokenDays": 0}}, "spec.auth.refreshTokenDays"),
        ({"rotation": {"databaseDays": -1}}, "spec.rotation.databaseDays"),
        ({"rotation": {"mongodbDays": 3651}}, "spec.rotation.mongodbDays"),
        (
            {"rotation": {"redisDays": 30}, "databases": {"redis": {"mode": "external", "secretName": "mine"}}},
            "rotation.redisDays is for the embedded Redis",
        ),
        ({"rotation": {"jwtDays": 7}}, "rotation.jwtDays must be longer"),
        ({"rotation": {"identityDays": 9}, "auth": {"secretName": "mine"}}, "are for generated keys"),
        ({"seed": {"courses": 20}}, "demo must be true"),
        ({"seed": {"demo": True, "learners": -1}}, "spec.seed.learners"),
        ({"email": {"from": "nobody"}}, "spec.email.from"),
        ({"email": {"from": "A\r\nBcc: b@example.org <a@example.org>"}}, "spec.email.from"),
        ({"push": {"subject": "me@example.org"}}, "spec.push.subject"),
        ({"events": {"broker": "pigeons"}}, "spec.events.broker"),
        ({"events": {"broker": "kafka"}}, "kafkaSecretName"),
        ({"events": {"kafkaSecretName": "brokers"}}, "kafkaSecretName"),
        ({"monitoring": {"otlpEndpoint": "collector:4318"}}, "spec.monitoring.otlpEndpoint"),
        ({"monitoring": {"serviceMonitorLabels": {"smartcourse.io/phase": "x"}}}, "serviceMonitorLabels"),
        ({"version": "newest"}, "spec.version"),
        ({"deletionPolicy": "Shred"}, "spec.deletionPolicy"),
    ],
)
async def test_an_invalid_resource_is_refused_with_the_fields_name(
    platform: Platform, spec: dict[str, Any], field: str
) -> None:
    with pytest.raises(ApiError) as refused:
        await platform.create("invalid", **spec)
    assert refused.value.status == 422
    assert field in str(refused.value)


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
async def test_every_sample_is_accepted_to_its_last_field(
    platform: Platform, control_plane: ControlPlane, sample: Path
) -> None:
    (document,) = read(sample)
    document["metadata"]["namespace"] = platform.namespace
    path = f"/apis/smartcourse.io/v1alpha1/namespaces/{platform.namespace}/smartcourses?fieldValidation=Strict"
    answer = control_plane.request("POST", path, json=document)
    assert answer.status_code == 201, answer.text


async def test_an_unknown_field_is_named(platform: Platform, control_plane: ControlPlane) -> None:
    path = f"/apis/smartcourse.io/v1alpha1/namespaces/{platform.namespace}/smartcourses?fieldValidation=Strict"
    answer = control_plane.request("POST", path, json=platform.document("invalid", nonsense=1))
    assert answer.status_code == 400
    assert 'unknown field "spec.nonsense"' in answer.json()["message"]


async def test_a_name_over_forty_characters_is_refused(platform: Platform) -> None:
    with pytest.raises(ApiError, match="40"):
        await platform.create("n" * 41)


@pytest.mark.parametrize(
    "spec",
    [
        {"databases": {"postgres": {"mode": "external", "secretName": "outside"}}},
        {"databases": {"mongodb": {"storageClassName": "fast"}}},
    ],
)
async def test_what_cannot_be_changed_later_is_refused(platform: Platform, spec: dict[str, Any]) -> None:
    await platform.create("fixed")
    with pytest.raises(ApiError, match="cannot be changed"):
        await platform.change("fixed", **spec)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"databases": {"postgres": {"size": "1Gi"}}}, "spec.databases.postgres.size"),
        ({"databases": {"mongodb": {"size": "2047Mi"}}}, "spec.databases.mongodb.size"),
        ({"databases": {"redis": {"size": "1G"}}}, "spec.databases.redis.size"),
        ({"backup": {"destination": {"volume": {"size": "9Gi"}}}}, "spec.backup.destination.volume.size"),
    ],
)
async def test_a_volume_that_is_to_shrink_is_refused_with_the_way_out(
    platform: Platform, spec: dict[str, Any], field: str
) -> None:
    await platform.create("fixed", backup={"destination": {"volume": {"size": "10Gi"}}})
    with pytest.raises(ApiError, match="cannot shrink: a volume only grows") as refused:
        await platform.change("fixed", **spec)
    assert refused.value.status == 422
    assert field in str(refused.value)
    assert "restore a backup into a new SmartCourse" in str(refused.value)


async def test_a_size_that_is_written_otherwise_or_grows_is_accepted(platform: Platform) -> None:
    await platform.create("fixed", backup={})
    await platform.change("fixed", databases={"postgres": {"size": "2048Mi"}, "redis": {"size": "1.5Gi"}})
    await platform.change("fixed", backup={"destination": {"volume": {"size": "20Gi"}}})
    await platform.change("fixed", backup=None)


async def test_an_empty_spec_is_valid_and_its_defaults_are_filled_in(platform: Platform) -> None:
    await platform.create("plain")
    spec = (await platform.get("plain"))["spec"]
    assert spec["databases"]["redis"] == {"mode": "embedded", "size": "1Gi"}
    assert spec["replicas"] == 1
    assert "services" not in spec
    assert spec["deletionPolicy"] == "Retain"
    assert (spec["events"], spec["monitoring"]) == ({"broker": "redis"}, {"serviceMonitors": False})


async def test_a_resource_without_a_spec_is_valid(platform: Platform, control_plane: ControlPlane) -> None:
    document = platform.document("bare")
    del document["spec"]
    path = f"/apis/smartcourse.io/v1alpha1/namespaces/{platform.namespace}/smartcourses"
    answer = control_plane.request("POST", path, json=document)
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"]["databases"]["postgres"]["mode"] == "embedded"
