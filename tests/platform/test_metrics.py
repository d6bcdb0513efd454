"""Metrics: what is measured, and that the dashboard, the alerts and the documentation speak of nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from .journey import Traveller
from .processes import ROOT, SERVICES, RunningPlatform

MONITORING = ROOT / "docs" / "monitoring"
PODS = (*SERVICES, "decision")
OPERATOR = """
import smartcourse_operator.adapters.metrics, prometheus_client
print(prometheus_client.generate_latest().decode())
"""
OURS = ("smartcourse_", "gateway_", "http_")
TARGET_LABELS = {"namespace", "pod", "job", "instance"}
"""Given by Prometheus to whatever it scrapes in a cluster."""

_NOT_METRICS = {"by", "without", "ignoring", "on", "and", "or", "unless", "bool", "le"}
_LABELS = re.compile(r"\b(?:by|without|ignoring|on)\s*\(([^)]*)\)")
_MATCHERS = re.compile(r"\{([^}]*)\}")
_NAME = re.compile(r"(?<![\w$.\[])([a-zA-Z_:][\w:]*)\b(?!\s*\()")


def families(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def samples_of(metric: Metric) -> set[str]:
    """The names that queries use for it, also while it has no samples."""
    endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(metric.type, ("",))
    return {metric.name + ending for ending in endings}


@pytest.fixture(scope="module")
def exported(traveller: Traveller, running: RunningPlatform) -> list[Metric]:
    """Everything that the processes of a platform and the operator export."""
    operator = subprocess.run([sys.executable, "-c", OPERATOR], check=True, capture_output=True, text=True).stdout
    return [metric for text in (*map(running.metrics, PODS), operator) for metric in families(text)]


def sample(running: RunningPlatform, pod: str, name: str, **labels: str) -> float | None:
    for metric in families(running.metrics(pod)):
        for each in metric.samples:
            if each.name == name and labels.items() <= each.labels.items():
                return each.value
    return None


def expressions() -> dict[str, str]:
    """Every query of the dashboard and of the alerts, by where it stands."""
    found: dict[str, str] = {}
    for panel in json.loads((MONITORING / "grafana.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            found[f"dashboard: {panel['title']} {target['refId']}"] = target["expr"]
    for rule in rules():
        found[f"alert: {rule['alert']}"] = rule["expr"]
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def words(expression: str) -> tuple[set[str], set[str]]:
    """The metrics and the labels that a query names."""
    labels = {label.strip() for listed in _LABELS.findall(expression) for label in listed.split(",")}
    for matchers in _MATCHERS.findall(expression):
        labels |= {matcher.partition("=")[0].rstrip("!").strip() for matcher in matchers.split(",") if matcher.strip()}
    bare = re.sub(r'"[^"]*"|\[[^]]*\]', "", _MATCHERS.sub("", _LABELS.sub("", expression)))
    return set(_NAME.findall(bare)) - _NOT_METRICS, labels - {"le"}


@pytest.mark.parametrize("where", expressions())
def test_a_query_names_only_metrics_and_labels_that_exist(exported: list[Metric], where: str) -> None:
    metrics, labels = words(expressions()[where])
    assert metrics, "the query names no metric"
    assert metrics <= {name for metric in exported for name in samples_of(metric)}
    of_these = [metric for metric in exported if samples_of(metric) & metrics and metric.samples]
    if of_these:  # what never happened yet has no labels to compare with
        known = {label for metric in of_these for each in metric.samples for label in each.labels}
        assert labels <= known | TARGET_LABELS


@pytest.mark.parametrize("alert", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_leads_to_a_runbook_that_says_what_to_do(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in ("warning", "critical")
    runbook = (ROOT / alert["annotations"]["runbook"]).read_text()
    assert alert["alert"] in runbook
    assert all(f"**{part}.**" in runbook for part in ("Meaning", "Impact", "Diagnosis", "Mitigation"))
    index = (ROOT / "docs" / "runbooks" / "README.md").read_text()
    assert alert["alert"] in index


def test_every_metric_of_ours_is_documented(exported: Iterable[Metric]) -> None:
    documented = (ROOT / "docs" / "observability.md").read_text()
    ours = {name for metric in exported if metric.name.startswith(OURS) for name in samples_of(metric)}
    named = {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in ours}
    assert {name for name in named if f"`{name}" not in documented and not name.endswith("_created")} == set()


def test_requests_are_counted_and_timed_by_route(traveller: Traveller, running: RunningPlatform) -> None:
    route = {"method": "POST", "route": "/api/auth/register"}
    assert sample(running, "user", "http_requests_total", **route, status="201")
    assert sample(running, "user", "http_requests_total", **route, status="409")
    assert sample(running, "user", "http_request_duration_seconds_count", **route)


@pytest.mark.parametrize(
    ("pod", "pools"),
    [
        ("user", ["postgres", "redis", "redis-events"]),
        ("course", ["postgres", "mongodb", "redis-events"]),
        ("notification", ["postgres", "redis-events"]),
        ("decision", ["redis-limits", "redis-revocations"]),
    ],
)
def test_every_pool_of_a_pod_is_seen(
    traveller: Traveller, running: RunningPlatform, pod: str, pools: list[str]
) -> None:
    for pool in pools:
        counts = [sample(running, pod, "smartcourse_pool_connections", pool=pool, state=s) for s in ("used", "idle")]
        open_connections = sum(count or 0 for count in counts)
        assert 0 < open_connections <= (sample(running, pod, "smartcourse_pool_limit", pool=pool) or 0)


@pytest.mark.parametrize("pod", PODS)
def test_every_pod_tells_of_its_process_and_its_event_loop(
    traveller: Traveller, running: RunningPlatform, pod: str
) -> None:
    assert sample(running, pod, "process_resident_memory_bytes")
    assert sample(running, pod, "smartcourse_loop_lag_seconds_count")


def test_decisions_are_counted_by_outcome(traveller: Traveller, running: RunningPlatform) -> None:
    for labels in ({"outcome": "admitted", "service": "user"}, {"outcome": "not-authenticated", "service": ""}):
        assert sample(running, "decision", "gateway_decisions_total", **labels)
    assert sample(running, "decision", "gateway_decision_seconds_count")
    assert sample(running, "decision", "gateway_verified_tokens")
    assert sample(running, "decision", "gateway_limiter_redis_calls_total")
