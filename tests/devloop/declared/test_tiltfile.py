"""What the Tiltfile declares exists and fits: images, charts, paths in containers, ports, resources, programs."""

from __future__ import annotations

import re
import shutil
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import pytest

from smartcourse_dev import catalogue
from smartcourse_dev.catalogue import Source

from ..sources import OURS, RELOADED, ROOT, code, containers, copied, dockerfile, place, reloaded_place
from ..tilt import CONTEXT, Tiltfile, TiltfileError

INSTALLED = {
    "image": "smartcourse.local/operator:1",
    "images": {"user": "smartcourse.local/user-service:1", "redis": "redis:7-alpine"},
    "publicUrl": "http://localhost:8080",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "services": {},
    "operator": {"operator": True},
    "offline": {"operator": True, "images": "offline"},
}


@cache
def evaluated(settings: str) -> Tiltfile:
    return Tiltfile(told=SETTINGS[settings], installed=INSTALLED)


@pytest.fixture(params=SETTINGS)
def tiltfile(request: pytest.FixtureRequest) -> Tiltfile:
    """The Tiltfile with each choice of settings."""
    name: str = request.param
    return evaluated(name)


def test_every_image_of_the_project_is_built() -> None:
    assert set(evaluated("operator").of("docker_build", "ref")) == set(OURS)
    assert set(evaluated("services").of("docker_build", "ref")) == OURS.keys() - {"operator"}


def test_every_image_that_is_built_is_run_and_no_other_of_ours(tiltfile: Tiltfile) -> None:
    run = {container["image"] for container in containers(tiltfile.documents)}
    source = Source.OFFLINE if tiltfile.told.get("images") == "offline" else Source.UPSTREAM
    datastores = {catalogue.reference(name, source) for name in ("postgres", "mongodb", "redis")}
    assert run == set(tiltfile.of("docker_build", "ref")) | datastores


def test_every_image_is_built_from_its_dockerfile_with_all_that_it_copies(tiltfile: Tiltfile) -> None:
    for image, build in tiltfile.of("docker_build", "ref").items():
        assert build["context"] == "."
        assert build["dockerfile"] == f"{OURS[image]}/Dockerfile"
        for path in build["only"]:
            assert (ROOT / path).exists(), path
        needed = [*copied(build["dockerfile"]), "constraints.txt", "infrastructure/images/pins.py"]
        for path in needed:
            assert any(path == only or path.startswith(f"{only}/") for only in build["only"]), f"{image}: {path}"


def test_build_arguments_are_declared_and_name_assembled_images(tiltfile: Tiltfile) -> None:
    known = {catalogue.reference(name, Source.OFFLINE) for name in ("python", "helm")} | {"/helm"}
    for build in tiltfile.of("docker_build", "ref").values():
        declared = re.findall(r"^ARG (\w+)", dockerfile(build["dockerfile"]), re.MULTILINE)
        assert set(build["build_args"]) == (set(declared) if tiltfile.told.get("images") == "offline" else set())
        assert set(build["build_args"].values()) <= known


def test_every_synced_directory_exists_and_goes_where_the_running_code_is(tiltfile: Tiltfile) -> None:
    for image, build in tiltfile.of("docker_build", "ref").items():
        synced = tiltfile.syncs(image)
        assert synced
        for source, target in synced.items():
            assert (ROOT / source).is_dir()
            assert target == reloaded_place(source, build["dockerfile"])
            assert place(source, build["dockerfile"]) == PurePosixPath("/app") / PurePosixPath(target).relative_to(
                "/tmp/app"
            )


def test_an_edit_of_any_source_file_is_synced_by_one_step(tiltfile: Tiltfile) -> None:
    for image, build in tiltfile.of("docker_build", "ref").items():
        for file in code(build["dockerfile"]):
            hits = [source for source in tiltfile.syncs(image) if file.startswith(f"{source}/")]
            assert len(hits) == 1, f"{image}: {file}"


def test_a_migration_builds_its_image_anew(tiltfile: Tiltfile) -> None:
    for image in ("user-service", "course-service", "notification-service"):
        first, *others = tiltfile.of("docker_build", "ref")[image]["live_update"]
        assert first == {"paths": f"services/{image}/src/{image.replace('-', '_')}/migrations"}
        assert (ROOT / first["paths"] / "versions").is_dir()
        assert all("remote_path" in step for step in others), "Tilt takes what falls back first"


def test_everything_that_is_synced_to_starts_anew_after_an_edit(tiltfile: Tiltfile) -> None:
    served = [each for each in containers(tiltfile.documents, initial=False)
              if each["image"] in OURS and "livenessProbe" in each]  # fmt: skip
    assert len(served) == (6 if tiltfile.told.get("operator") else 5)
    for container in served:
        assert container["command"][1:3] == RELOADED[1:], container["name"]
        assert {"name", "mountPath"} <= container["volumeMounts"][0].keys()
        assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_every_resource_that_is_named_exists(tiltfile: Tiltfile) -> None:
    configured = tiltfile.of("k8s_resource", "workload")
    assert len(configured) == len(tiltfile.calls["k8s_resource"])
    assert set(configured) <= set(tiltfile.resources)
    for name, call in (configured | tiltfile.of("local_resource", "name")).items():
        assert set(call.get("resource_deps", [])) <= tiltfile.named() - {name}


def test_resources_wait_for_others_without_a_circle(tiltfile: Tiltfile) -> None:
    waiting = {
        name: set(call.get("resource_deps", [])) for name, call in tiltfile.of("k8s_resource", "workload").items()
    }
    assert any(waiting.values())
    while free := {name for name, needs in waiting.items() if not needs & waiting.keys()}:
        waiting = {name: needs for name, needs in waiting.items() if name not in free}
    assert not waiting


def test_every_port_forward_reaches_a_port_of_its_container(tiltfile: Tiltfile) -> None:
    local = []
    for name, call in tiltfile.of("k8s_resource", "workload").items():
        open_ports = {
            port["containerPort"] for each in containers([tiltfile.resources[name]]) for port in each.get("ports", [])
        }
        for forward in call.get("port_forwards", []):
            here, there = map(int, forward.split(":"))
            assert there in open_ports, f"{name}: {forward}"
            local.append(here)
    assert len(local) == len(set(local)) == (5 if tiltfile.told.get("operator") else 4)


def test_every_link_is_a_path_of_the_route_that_is_deployed(tiltfile: Tiltfile) -> None:
    (ingress,) = (document for document in tiltfile.documents if document["kind"] == "Ingress")
    host = ingress["spec"]["rules"][0]["host"]
    links = [link["url"] for call in tiltfile.calls["k8s_resource"] for link in call.get("links", [])]
    assert links == [f"http://{host}:8080/docs"]


def test_demo_data_and_tests_are_buttons(tiltfile: Tiltfile) -> None:
    seed = tiltfile.of("k8s_resource", "workload")["course-seed"]
    tests = tiltfile.of("local_resource", "name")
    assert set(tests) == {f"test-{name}" for name in [*OURS, "shared"]}
    for button in (seed, *tests.values()):
        assert button["auto_init"] is False
        assert button["trigger_mode"] == "manual"


def test_every_button_runs_a_program_that_exists_on_a_path_that_exists(tiltfile: Tiltfile) -> None:
    for call in tiltfile.calls["local_resource"]:
        words = call["cmd"].split()
        assert words[:5] == ["exec", '"$(infrastructure/bootstrap)"', "-m", "pytest", "-q"]
        assert shutil.which(str(ROOT / "infrastructure/bootstrap"))
        assert (ROOT / words[5]).is_dir(), words[5]


def test_secrets_are_made_before_anything_is_deployed_and_never_on_the_way_down(tiltfile: Tiltfile) -> None:
    (command,) = (call["command"] for call in tiltfile.calls["local"] if "secrets" in call["command"])
    (namespace,) = {call["namespace"] for call in tiltfile.calls["helm"] if call["name"] == "academy"}
    assert f"-m smartcourse_dev.secrets --context {CONTEXT} --namespace {namespace} --release academy" in command
    assert "local" not in Tiltfile(subcommand="down").calls


def test_what_tilt_down_deletes_leaves_data_definitions_and_secrets(tiltfile: Tiltfile) -> None:
    kinds = {document["kind"] for document in tiltfile.documents}
    assert not kinds & {"CustomResourceDefinition", "Namespace", "PersistentVolumeClaim", "Secret"}


def test_the_operator_keeps_installing_the_images_that_it_was_told() -> None:
    (operator,) = containers([evaluated("operator").resources["operator"]])
    told = {variable["name"]: variable.get("value") for variable in operator["env"]}
    assert told["SMARTCOURSE_OPERATOR_IMAGES"] == '{"redis":"redis:7-alpine","user":"smartcourse.local/user-service:1"}'
    assert operator["image"] == "operator"


def test_no_other_cluster_is_touched() -> None:
    assert Tiltfile().calls["allow_k8s_contexts"] == [{"contexts": CONTEXT}]
    with pytest.raises(TiltfileError, match="the current context is production"):
        Tiltfile(context="production")
    assert Tiltfile(context="kind-mine", told={"context": "kind-mine"}).calls["allow_k8s_contexts"] == [
        {"contexts": "kind-mine"}
    ]
