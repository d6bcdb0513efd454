"""What `skaffold.yaml` declares exists and fits: Dockerfiles, charts, ports, Secrets, assembled images."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
import yaml

from smartcourse_dev import catalogue
from smartcourse_dev.catalogue import Source

from .. import skaffold
from ..sources import OURS, RELOADED, ROOT, Document, code, command, containers, dockerfile, reloaded_place, rendered

MODULES = {"smartcourse": sorted(OURS.keys() - {"operator"}), "operator": ["operator"]}
PROFILES = [(), ("dev",), ("offline",), ("dev", "offline")]
IMAGES = [(module, image) for module, images in MODULES.items() for image in images]
BUILT = {image: f"localhost:5001/{image}:t@sha256:{'0' * 64}" for image in OURS}


def deployed(module: str, *profiles: str) -> list[Document]:
    arguments = skaffold.helm_arguments(skaffold.module(module, *profiles), BUILT)
    return rendered(module, *arguments)


@pytest.mark.parametrize("module", MODULES)
def test_every_image_of_the_project_is_built(module: str) -> None:
    artifacts = skaffold.artifacts(skaffold.module(module))
    assert sorted(artifacts) == MODULES[module]
    for image, artifact in artifacts.items():
        assert artifact["docker"]["dockerfile"] == f"{OURS[image]}/Dockerfile"
        assert (ROOT / artifact["docker"]["dockerfile"]).is_file()
        assert "context" not in artifact, "Dockerfiles copy from the repository's root"


@pytest.mark.parametrize("profiles", PROFILES)
@pytest.mark.parametrize("module", MODULES)
def test_what_is_deployed_runs_every_built_image_and_no_other_of_ours(module: str, profiles: tuple[str, ...]) -> None:
    run = {container["image"] for container in containers(deployed(module, *profiles))}
    offline = {catalogue.reference(name, Source.OFFLINE) for name in ("postgres", "mongodb", "redis")}
    upstream = {catalogue.reference(name, Source.UPSTREAM) for name in ("postgres", "mongodb", "redis")}
    datastores = (offline if "offline" in profiles else upstream) if module == "smartcourse" else set()
    assert run == {BUILT[image] for image in MODULES[module]} | datastores


@pytest.mark.parametrize(("module", "image"), IMAGES)
def test_an_edit_of_any_source_file_goes_where_the_running_code_is(module: str, image: str) -> None:
    artifact = skaffold.artifacts(skaffold.module(module))[image]
    path = artifact["docker"]["dockerfile"]
    files = code(path)
    assert len(files) > 10
    for file in files:
        assert skaffold.destinations(artifact, file) == [reloaded_place(file, path)], file


@pytest.mark.parametrize(("module", "image"), IMAGES)
def test_an_edit_of_what_an_image_is_made_from_builds_it_anew(module: str, image: str) -> None:
    artifact = skaffold.artifacts(skaffold.module(module))[image]
    for file in ("constraints.txt", artifact["docker"]["dockerfile"], f"{OURS[image]}/openapi.json"):
        assert skaffold.destinations(artifact, file) == []


def test_skaffold_dev_reloads_and_skaffold_run_runs_as_in_production() -> None:
    for module in MODULES:
        profiles = {profile["name"]: profile for profile in skaffold.module(module)["profiles"]}
        assert profiles["dev"]["activation"] == [{"command": "dev"}]
        assert not [each for each in containers(deployed(module)) if "shared.reload" in each.get("command", [])]
        ours = [each for each in containers(deployed(module, "dev"), initial=False) if "livenessProbe" in each
                and each["image"] in BUILT.values()]  # fmt: skip
        assert ours
        for container in ours:
            assert container["command"][1:3] == RELOADED[1:], container["name"]


@pytest.mark.parametrize("image", ["user-service", "course-service", "notification-service"])
def test_a_reloaded_service_is_served_as_its_image_serves_it(image: str) -> None:
    reloaded = {each["image"]: each["command"] for each in containers(deployed("smartcourse", "dev"), initial=False)
                if "livenessProbe" in each and "command" in each}  # fmt: skip
    assert reloaded[BUILT[image]] == [*RELOADED, *command(f"{OURS[image]}/Dockerfile")]


@pytest.mark.parametrize(("module", "image"), IMAGES)
def test_offline_images_are_built_from_what_make_up_assembles(module: str, image: str) -> None:
    docker = skaffold.artifacts(skaffold.module(module, "offline"))[image]["docker"]
    known = {
        "PYTHON_IMAGE": catalogue.reference("python", Source.OFFLINE),
        "HELM_IMAGE": catalogue.reference("helm", Source.OFFLINE),
        "HELM_PATH": catalogue.HELM_PATHS[Source.OFFLINE],
    }
    declared = set(re.findall(r"^ARG (\w+)", dockerfile(docker["dockerfile"]), re.MULTILINE))
    assert docker["buildArgs"] == {name: value for name, value in known.items() if name in declared}


def test_every_forwarded_port_is_a_service_that_is_deployed() -> None:
    module = skaffold.module("smartcourse", "dev")
    ports = {
        (document["metadata"]["name"], port["port"])
        for document in deployed("smartcourse", "dev")
        if document["kind"] == "Service"
        for port in document["spec"]["ports"]
    }
    forwards = module["portForward"]
    assert len({each["localPort"] for each in forwards}) == len(forwards) == 4
    for each in forwards:
        assert (each["resourceName"], each["port"]) in ports
        assert each["namespace"] == skaffold.release(module)["namespace"]


def test_the_hook_makes_every_secret_that_the_release_reads() -> None:
    module = skaffold.module("smartcourse")
    (hook,) = module["deploy"]["helm"]["hooks"]["before"]
    words = shlex.split(hook["host"]["command"][-1])
    told = dict(itertools.pairwise(words))
    release = skaffold.release(module)
    assert (told["--namespace"], told["--release"]) == (release["namespace"], release["name"])
    assert told["--context"] == "$SKAFFOLD_KUBE_CONTEXT"
    arguments = ["--name", told["--release"], "--namespace", told["--namespace"]]
    printed = subprocess.run(
        [sys.executable, "-m", "smartcourse_operator.secrets", *arguments], capture_output=True, text=True, check=True
    ).stdout
    made = {item["metadata"]["name"]: item["stringData"].keys() for item in yaml.safe_load(printed)["items"]}
    read = [
        variable["valueFrom"]["secretKeyRef"]
        for container in containers(deployed("smartcourse"))
        for variable in container.get("env", [])
        if "secretKeyRef" in variable.get("valueFrom", {})
    ]
    assert len(read) > 20
    for reference in read:
        assert reference.get("optional") or reference["key"] in made[reference["name"]], reference


def test_nothing_is_ever_deployed_outside_the_local_cluster() -> None:
    for module in MODULES:
        assert skaffold.module(module)["deploy"]["kubeContext"] == "kind-smartcourse"


def test_the_verification_asks_the_deployed_gateway_from_a_built_image() -> None:
    module = skaffold.module("smartcourse")
    (case,) = module["verify"]
    assert case["container"]["image"] in skaffold.artifacts(module)
    url = re.search(r'"(http://[^"]+)"', case["container"]["args"][0])
    assert url
    release = skaffold.release(module)
    assert urlsplit(url[1]).netloc == f"{release['name']}-gateway.{release['namespace']}:8000"


def test_the_unit_tests_of_the_tested_profile_exist() -> None:
    tests = skaffold.module("smartcourse", "tested")["test"]
    assert {each["image"] for each in tests} == set(MODULES["smartcourse"])
    for each in tests:
        program, *_, directory = each["custom"][0]["command"].split()
        assert program == "$(infrastructure/bootstrap)"
        assert (ROOT / directory).is_dir()
        assert each["custom"][0]["dependencies"]["paths"] == [f"{directory}/**"]
