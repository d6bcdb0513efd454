"""Values: what is refused, with a message that helps, and that the README names all there are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("nonsense=1", "additional properties 'nonsense' not allowed"),
        ("user.replica=3", "additional properties 'replica' not allowed"),
        ("global.nonsense=1", "additional properties 'nonsense' not allowed"),
        ("global.databases.postgres.mode=sideways", "/global/databases/postgres/mode"),
        ("global.secretNames.users=x", "additional properties 'users' not allowed"),
        ("global.auth.accessTokenMinutes=0", "/global/auth/accessTokenMinutes"),
        ("global.images.user=", "global.images.user is not set"),
        ("user.replicas=-1", "/replicas"),
        ("user.autoscaling.minReplicas=2", "missing property 'maxReplicas'"),
        (
            "course.autoscaling.minReplicas=5,course.autoscaling.maxReplicas=2",
            "minReplicas (5) is greater than maxReplicas (2)",
        ),
        ("gateway.env.LIMIT=5", "got number, want string"),
        ("gateway.corsOrigins={*}", "/corsOrigins/0"),
        ("gateway.limits.burst=5", "additional properties 'burst' not allowed"),
        ("gateway.proxyProtocol=true,gateway.trustedProxies={}", "/trustedProxies"),
        ("postgres.size=big", "/size"),
        ("global.email.from=nobody", "/global/email/from"),
        ("global.push.subject=nobody", "/global/push/subject"),
        ("global.events.broker=pigeons", "/global/events/broker"),
        (
            r"global.telemetry.serviceMonitorLabels.smartcourse\.io/phase=x",
            "invalid propertyName 'smartcourse.io/phase'",
        ),
        ("global.forwardAuth.enabled=maybe", "/global/forwardAuth/enabled"),
        ("global.forwardAuth.dataPlane[0]=traefik", "/global/forwardAuth/dataPlane/0"),
        ("global.contract={gateway}", "/global/contract/0"),
        ("global.publicUrl=academy.example", "/global/publicUrl"),
        ("route.kind=Gateway", "/route/kind"),
        ("route.kind=HTTPRoute", "missing property 'name'"),
        ("route.host=not a host", "/route/host"),
        ("route.retries=4", "/route/retries"),
    ],
)
def test_a_wrong_value_is_refused_by_name(helm: Helm, charts: Path, setting: str, message: str) -> None:
    umbrella = charts / "smartcourse"
    done = helm("template", "academy", str(umbrella), "-f", str(umbrella / "ci/minimal-values.yaml"), "--set", setting)
    assert done.returncode != 0
    assert message in done.stderr


def leaves(schema: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, each in schema.get("properties", {}).items():
        if name == "lib" or (name == "global" and prefix):
            continue
        path = f"{prefix}{name}"
        if each.get("properties"):
            yield from leaves(each, f"{path}.")
        else:
            yield path


def test_the_readme_names_every_value(charts: Path) -> None:
    readme = (charts / "smartcourse/README.md").read_text(encoding="utf-8").partition("## Values")[2]
    named = set(re.findall(r"^\| `([^`]+)`", readme, flags=re.MULTILINE))
    parts = {"user", "course", "notification", "gateway", "postgres", "mongodb", "redis"}
    whole = set(leaves(json.loads((charts / "smartcourse/values.schema.json").read_text(encoding="utf-8")))) - parts
    for part in parts:
        whole |= set(leaves(json.loads((charts / part / "values.schema.json").read_text(encoding="utf-8")), f"{part}."))
    abbreviated = {path for pattern in named for path in expanded(pattern)}
    assert abbreviated == whole


def expanded(pattern: str) -> list[str]:
    """Return the paths that `a.{b,c}.d` stands for."""
    match = re.search(r"\{([^}]*)\}", pattern)
    if not match:
        return [pattern]
    return [path for each in match[1].split(",") for path in expanded(pattern.replace(match[0], each, 1))]


def test_every_value_of_a_schema_is_described(charts: Path) -> None:
    def undescribed(schema: dict[str, Any], path: str) -> Iterator[str]:
        for name, each in schema.get("properties", {}).items():
            if "description" not in each:
                yield f"{path}.{name}"
            yield from undescribed(each, f"{path}.{name}")

    for path in sorted(charts.glob("*/values.schema.json")):
        if "operator" not in str(path):
            assert list(undescribed(json.loads(path.read_text(encoding="utf-8")), path.parent.name)) == []
