"""The chart's values, images and addresses made from a spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from smartcourse_operator.config import Settings
from smartcourse_operator.core import names, values, versions
from smartcourse_operator.core.objects import UnexpectedObjectError, adopt
from smartcourse_operator.core.spec import Route, SmartCourseSpec

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("route", "public_url", "address"),
    [
        ({}, "http://localhost:8080/", "http://localhost:8080"),
        ({"host": "a.example"}, "http://localhost:8080", "http://a.example:8080"),
        ({"host": "a.example"}, "http://localhost", "http://a.example"),
        ({"host": "a.example", "tls": {"secretName": "t"}}, "http://localhost:8080", "https://a.example"),
        ({"host": "a.example", "tls": {"secretName": "t"}}, "https://localhost:8443", "https://a.example:8443"),
    ],
)
def test_the_address_people_are_told(route: dict[str, object], public_url: str, address: str) -> None:
    assert values.public_address(Route.model_validate(route), public_url) == address


def test_the_resources_image_goes_before_the_releases() -> None:
    release = versions.Release(version="1.0.0", images=dict.fromkeys(names.COMPONENTS, "release"))
    spec = SmartCourseSpec.model_validate({"images": {"user": "spec"}})
    found = versions.image_references(release, spec.images)
    assert (found["user"], found["gateway"]) == ("spec", "release")


def test_the_committed_releases_can_be_read_and_name_every_image() -> None:
    release = versions.Releases.read(ROOT / "manifests" / "releases").get("1.0.0")
    assert set(release.images) == {*names.COMPONENTS, "backup"}


def chart_globals(spec: SmartCourseSpec, *, hold_data: bool = False, **secret_hashes: str) -> dict[str, Any]:
    made: dict[str, Any] = values.chart_values(
        spec, images={}, image_pull_policy="Never", secret_hashes=secret_hashes, logins={},
        has_kafka_ca=True, public_url="http://localhost:8080", hold_data=hold_data,
    )["global"]  # fmt: skip
    return made


def test_external_databases_are_known_to_the_chart_by_their_secret() -> None:
    spec = SmartCourseSpec.model_validate(
        {"databases": {"postgres": {"mode": "external", "secretName": "outside"}}, "auth": {"secretName": "keys"}}
    )
    made = chart_globals(spec, postgres="h")
    assert made["secretNames"] == {"postgres": "outside", "auth": "keys"}
    expected = {"mode": "external", "secretHash": "h", "initialised": False, "logins": {}}
    made_to_fit = {"pool": {"size": 3, "overflow": 6}, "parameters": {}}
    assert made["databases"]["postgres"] == expected | made_to_fit
    assert "secretName" not in made["auth"]


def test_databases_that_hold_data_are_not_to_be_initialised_again_and_redis_may_be() -> None:
    made = chart_globals(SmartCourseSpec(), hold_data=True)["databases"]
    assert (made["postgres"]["initialised"], made["mongodb"]["initialised"]) == (True, True)
    assert "initialised" not in made["redis"]


def test_mail_push_events_and_monitoring_reach_the_chart_as_they_are_asked_for() -> None:
    spec = SmartCourseSpec.model_validate(
        {
            "route": {"host": "academy.example", "tls": {"secretName": "tls"}},
            "email": {"smtpSecretName": "relay", "from": "a@example.org"},
            "push": {"secretName": "keys", "subject": "mailto:me@example.org"},
            "events": {"broker": "kafka", "kafkaSecretName": "brokers"},
            "monitoring": {
                "serviceMonitors": True,
                "serviceMonitorLabels": {"a": "b"},
                "otlpEndpoint": "http://c:4318",
            },
        }
    )
    made = chart_globals(spec, email="1", push="2", events="3")
    assert made["secretNames"] == {"smtp": "relay", "push": "keys", "kafka": "brokers"}
    assert made["publicUrl"] == "https://academy.example"
    assert made["email"] == {"from": "a@example.org", "secretHash": "1"}
    assert made["push"] == {"subject": "mailto:me@example.org", "secretHash": "2"}
    assert made["events"] == {"broker": "kafka", "hasCa": True, "secretHash": "3"}
    assert made["telemetry"] == {
        "otlpEndpoint": "http://c:4318", "serviceMonitors": True, "serviceMonitorLabels": {"a": "b"},
    }  # fmt: skip


def test_the_mode_of_the_route_reaches_the_chart_with_who_may_ask() -> None:
    spec = SmartCourseSpec.model_validate({"route": {"mode": "forwardAuth", "dataPlaneNamespace": "edge"}})
    made = values.chart_values(
        spec,
        images={},
        image_pull_policy="Never",
        secret_hashes={},
        logins={},
        has_kafka_ca=False,
        public_url="http://localhost",
        hold_data=False,
    )
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}}}
    assert made["global"]["forwardAuth"] == {"enabled": True, "dataPlane": [peer]}
    assert made["route"] == {"kind": "Ingress", "className": "traefik", "retries": 0}


def test_what_nobody_asked_for_is_off() -> None:
    made = chart_globals(SmartCourseSpec())
    assert made["secretNames"] == {}
    assert made["events"]["broker"] == "redis"
    assert made["forwardAuth"]["enabled"] is False
    assert made["telemetry"] == {"otlpEndpoint": "", "serviceMonitors": False, "serviceMonitorLabels": {}}


def chart_parts(**spec: Any) -> dict[str, Any]:
    return values.chart_values(
        SmartCourseSpec.model_validate(spec), images={}, image_pull_policy="Never", secret_hashes={}, logins={},
        has_kafka_ca=False, public_url="http://localhost:8080", hold_data=False,
    )  # fmt: skip


def test_what_the_route_asks_of_the_gateway_reaches_the_gateway_and_not_the_route() -> None:
    asked = {"corsOrigins": ["https://a.example"], "trustedProxies": ["10.0.0.0/8"], "proxyProtocol": True}
    made = chart_parts(
        route={**asked, "className": "haproxy"},
        services={"gateway": {"tlsSecretName": "pair", "replicas": 2}},
        limits={"heavyPerMinute": 5},
        maintenance=True,
    )
    limits = {"defaultPerMinute": 600, "publicPerMinute": 600, "loginPerMinute": 120, "heavyPerMinute": 5}
    assert made["gateway"] == {**asked, "tlsSecretName": "pair", "replicas": 2, "limits": limits, "maintenance": True}
    assert made["route"] == {"kind": "Ingress", "className": "haproxy", "retries": 0}


def test_unless_asked_the_gateway_keeps_the_charts_own_ideas_of_whom_to_trust() -> None:
    made = chart_parts()["gateway"]
    assert "trustedProxies" not in made
    assert (made["corsOrigins"], made["proxyProtocol"], made["maintenance"]) == ([], False, False)


def test_adopted_objects_are_owned_ours_and_change_their_digest_with_their_content() -> None:
    owner = {"metadata": {"name": "academy", "namespace": "there", "uid": "u"}}
    rendered = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "annotations": None}, "spec": {"a": 1}}
    (first,) = adopt([rendered], owner)
    (second,) = adopt([{**rendered, "spec": {"a": 2}}], owner)
    metadata = first["metadata"]
    assert metadata["namespace"] == "there"
    assert metadata["ownerReferences"][0]["uid"] == "u"
    assert metadata["labels"][names.LABEL_MANAGED_BY] == names.OPERATOR
    assert (
        metadata["annotations"][names.ANNOTATION_APPLIED] != second["metadata"]["annotations"][names.ANNOTATION_APPLIED]
    )


def test_a_kind_that_the_operator_has_no_permission_for_is_refused() -> None:
    with pytest.raises(UnexpectedObjectError, match="ClusterRole"):
        adopt(
            [{"kind": "ClusterRole", "metadata": {"name": "x"}}],
            {"metadata": {"name": "a", "namespace": "n", "uid": "u"}},
        )


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTCOURSE_OPERATOR_WATCH_NAMESPACES", "one, two")
    monkeypatch.setenv("SMARTCOURSE_OPERATOR_IMAGES", '{"user": "x"}')
    monkeypatch.setenv("HELM", "/usr/local/bin/helm")
    settings = Settings()
    assert settings.watch_namespaces == ("one", "two")
    assert settings.images == {"user": "x"}
    assert settings.helm == "/usr/local/bin/helm"


def test_pods_that_a_service_does_not_say_are_those_of_all() -> None:
    made = chart_parts(replicas=3, services={"course": {"replicas": 2}})
    assert {name: made[name]["replicas"] for name in ("gateway", *names.SERVICES)} == {
        "gateway": 3, "user": 3, "course": 2, "notification": 3,
    }  # fmt: skip
