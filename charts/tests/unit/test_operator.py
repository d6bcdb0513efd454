"""The operator's own chart, rendered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

Helm = Callable[..., subprocess.CompletedProcess[str]]
FURTHER = "/etc/smartcourse/further-releases"
RELEASE = {"upgradeFrom": ["1.0.0"], "images": {"user": "registry.example/user:1.1.0"},
           "schema": {"user": {"expand": "user_0005"}}}  # fmt: skip


def rendered(helm: Helm, charts: Path, values: dict[str, Any], directory: Path) -> dict[str, dict[str, Any]]:
    file = directory / "values.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    done = helm("template", "operator", str(charts / "smartcourse-operator"), "--namespace", "system", "-f", str(file))
    assert done.returncode == 0, done.stderr
    return {document["kind"]: document for document in yaml.safe_load_all(done.stdout) if document}


def test_further_releases_are_files_beside_those_of_the_image(helm: Helm, charts: Path, tmp_path: Path) -> None:
    made = rendered(helm, charts, {"releases": {"1.1.0": RELEASE}}, tmp_path)
    [(name, text)] = made["ConfigMap"]["data"].items()
    assert (name, yaml.safe_load(text)) == ("1.1.0.yaml", {"version": "1.1.0", **RELEASE})
    pod = made["Deployment"]["spec"]["template"]["spec"]
    [volume] = [one for one in pod["volumes"] if one["name"] == "releases"]
    assert volume["configMap"]["name"] == made["ConfigMap"]["metadata"]["name"]
    assert [one["mountPath"] for one in pod["containers"][0]["volumeMounts"] if one["name"] == "releases"] == [FURTHER]


def test_other_releases_start_the_operator_anew_and_none_leave_no_trace(
    helm: Helm, charts: Path, tmp_path: Path
) -> None:
    def template(releases: dict[str, Any]) -> dict[str, Any]:
        deployment = rendered(helm, charts, {"releases": releases}, tmp_path)["Deployment"]
        return dict(deployment["spec"]["template"])

    none = rendered(helm, charts, {}, tmp_path)
    assert "ConfigMap" not in none
    assert template({}) == none["Deployment"]["spec"]["template"]
    one, other = template({"1.1.0": RELEASE}), template({"1.1.0": {**RELEASE, "upgradeFrom": []}})
    assert one["metadata"]["annotations"] != other["metadata"]["annotations"]


def test_the_operator_is_not_root_and_cannot_write_or_gain_anything(helm: Helm, charts: Path, tmp_path: Path) -> None:
    pod = rendered(helm, charts, {}, tmp_path)["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip


def test_a_release_without_images_is_refused(helm: Helm, charts: Path) -> None:
    done = helm("template", "operator", str(charts / "smartcourse-operator"), "--set-json", 'releases={"1.1.0":{}}')
    assert done.returncode != 0
    assert "images" in done.stderr
