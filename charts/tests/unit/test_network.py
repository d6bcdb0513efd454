"""Who may speak to whom, asked of the NetworkPolicies as a network that enforces them would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Document = dict[str, Any]
Render = Callable[..., list[Document]]

PORTS = {
    "gateway": 8000,
    "user": 8001,
    "course": 8002,
    "notification": 8005,
    "postgres": 5432,
    "mongodb": 27017,
    "redis": 6379,
}
ALLOWED = {
    ("gateway", "user"), ("gateway", "course"), ("gateway", "notification"), ("gateway", "redis"),
    ("user", "postgres"), ("course", "postgres"), ("notification", "postgres"),
    ("user", "redis"), ("course", "redis"), ("notification", "redis"),
    ("course", "mongodb"),
    ("user-migrate", "postgres"), ("course-migrate", "postgres"), ("notification-migrate", "postgres"),
    ("user-seed", "postgres"),
    ("course-seed", "postgres"), ("course-seed", "mongodb"),
    ("course-migrate", "mongodb"),
    ("course-provision", "mongodb"), ("course-provision", "postgres"),
    ("postgres-provision", "postgres"), ("redis-provision", "redis"),
}  # fmt: skip


class Network:
    """What the policies among `objects` admit."""

    def __init__(self, objects: list[Document]) -> None:
        self.policies = [each["spec"] for each in objects if each["kind"] == "NetworkPolicy"]
        self.pods = {
            labels["app.kubernetes.io/name"]: labels
            for each in objects
            if (labels := each.get("spec", {}).get("template", {}).get("metadata", {}).get("labels"))
        }

    def admits(self, source: str, target: str, port: int) -> bool:
        return self._passes(source, "egress", "to", target, port) and self._passes(
            target, "ingress", "from", source, port
        )

    def _passes(self, pod: str, direction: str, side: str, peer: str, port: int) -> bool:
        policies = [each for each in self.policies if selects(each["podSelector"], self.pods[pod])]
        rules = [rule for policy in policies for rule in policy.get(direction, [])]
        return any(
            any(selects(each.get("podSelector", {}), self.pods[peer]) for each in rule.get(side, [{}]))
            and any(each.get("port", port) == port for each in rule.get("ports", [{}]))
            for rule in rules
        )


def selects(selector: Document, labels: dict[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", [])
    )


@pytest.fixture
def network(render: Render) -> Network:
    return Network(render("httproute"))


def test_pods_reach_what_they_need_and_nothing_else(network: Network) -> None:
    reached = {
        (source, target)
        for source in network.pods
        for target, port in PORTS.items()
        if target != "gateway" and network.admits(source, target, port)
    }
    assert reached == ALLOWED


def test_a_job_that_contracts_reaches_what_one_that_migrates_does(render: Render) -> None:
    network = Network(render("contract"))
    for service in ("user", "course", "notification"):
        reached, as_before = (
            {target for target, port in PORTS.items() if network.admits(f"{service}-{task}", target, port)}
            for task in ("contract", "migrate")
        )
        assert reached - {"gateway"} == as_before - {"gateway"} >= {"postgres"}


def test_nobody_reaches_a_job(network: Network) -> None:
    for job in network.pods.keys() - PORTS.keys():
        assert not any(network.admits(source, job, 8080) for source in network.pods)


def test_a_service_is_closed_but_for_the_gateway_and_for_metrics(network: Network) -> None:
    for service in ("user", "course", "notification"):
        policy = next(each for each in network.policies if selects(each["podSelector"], network.pods[service]))
        open_ports = {
            port["port"]
            for rule in policy["ingress"]
            if rule["from"] == [{"namespaceSelector": {}}]
            for port in rule["ports"]
        }
        assert open_ports == {9090}


def test_the_gateway_can_be_closed_but_for_the_ingress_controller(render: Render) -> None:
    def peers(case: str) -> Any:
        [policy] = [
            each
            for each in render(case)
            if (each["kind"], each["metadata"]["name"]) == ("NetworkPolicy", "academy-gateway")
        ]
        [rule] = [rule for rule in policy["spec"]["ingress"] if rule["ports"][0]["port"] == 8000]
        return rule.get("from")

    assert peers("minimal") is None
    assert peers("production") == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}}]


def test_a_data_plane_reaches_the_services_and_the_decision_only_where_it_asks_the_gateway(render: Render) -> None:
    def admitting(case: str, peer: str) -> set[tuple[str, int]]:
        selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": peer}}}
        return {
            (each["metadata"]["name"], port["port"])
            for each in render(case)
            if each["kind"] == "NetworkPolicy"
            for rule in each["spec"].get("ingress", [])
            if selector in rule.get("from", [])
            for port in rule["ports"]
        }

    services = {("academy-user", 8001), ("academy-course", 8002), ("academy-notification", 8005)}
    assert admitting("forward-auth", "ingress") == {*services, ("academy-gateway", 8010)}
    assert admitting("minimal", "traefik") == set()
    open_to_all = [rule for each in render("forward-auth") if each["kind"] == "NetworkPolicy"
                   for rule in each["spec"].get("ingress", []) if not rule.get("from")]  # fmt: skip
    assert [rule["ports"] for rule in open_to_all] == [[{"protocol": "TCP", "port": 8000}]]


def ports(rule: Document) -> set[int]:
    """The TCP ports of a rule that holds for every address; none for a rule that names peers."""
    found = [] if "to" in rule else rule.get("ports", [])
    return {number for each in found if each["protocol"] == "TCP" and "port" in each
            for number in range(each["port"], each.get("endPort", each["port"]) + 1)}  # fmt: skip


def outside(network: Network, pod: str) -> set[int]:
    """The TCP ports, but for that of names, at which a pod may reach whatever it likes."""
    policies = [each for each in network.policies if selects(each["podSelector"], network.pods[pod])]
    return {port for policy in policies for rule in policy.get("egress", []) for port in ports(rule)} - {53}


def test_only_notification_service_reaches_out_for_mail_and_push(render: Render) -> None:
    network = Network(render("minimal"))
    reached = {pod: found for pod in network.pods if (found := outside(network, pod))}
    assert reached == {"notification": {25, 465, 587, 1025, 2525, 443}}


def test_services_reach_kafka_where_events_go_through_it_and_their_jobs_do_not(render: Render) -> None:
    network = Network(render("kafka"))
    reached = {pod for pod in network.pods if {9092, 9093, 9094, 9096} <= outside(network, pod)}
    assert reached == {"user", "course", "notification"}


def test_the_telemetry_collector_and_external_datastores_can_be_reached(render: Render) -> None:
    production = Network(render("production"))
    egress = next(each for each in production.policies if selects(each["podSelector"], production.pods["user"]))[
        "egress"
    ]
    assert {"ports": [{"protocol": "TCP", "port": 4318}]} in egress
    external = Network(render("external"))
    for policy in external.policies:
        assert {"ports": [{"protocol": "TCP"}]} in policy["egress"]
