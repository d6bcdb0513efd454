"""The plans and the catalogue they draw on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from smartcourse_dev import addons, application, assembly, catalogue, cluster, docker, engine, images, plan
from smartcourse_dev.catalogue import Source
from smartcourse_dev.settings import OFFLINE, Settings, SettingsError
from smartcourse_dev.steps import Progress, Runner


class Silent:
    def changed(self, progress: Progress) -> None: ...

    def told(self, progress: Progress, text: str) -> None: ...


@pytest.mark.parametrize("source", list(Source))
def test_every_step_waits_only_for_steps_before_it(tmp_path: Path, source: Source) -> None:
    steps = list(plan.up_steps(Settings(), source))
    assert Runner(steps, tmp_path, Silent()).steps == steps


def test_kubernetes_is_the_first_long_build(tmp_path: Path) -> None:
    builds = [step.name for step in plan.up_steps(Settings(), Source.OFFLINE) if step.lane == assembly.GO_LANE]
    assert builds.index("go kubernetes") < builds.index("go helm")
    assert "go registry" in builds[: builds.index("go kubernetes")], "everything is pushed into the registry"


@pytest.mark.parametrize("name", catalogue.IMAGES)
def test_an_assembled_image_never_borrows_an_upstream_name(name: str) -> None:
    assert catalogue.reference(name, Source.OFFLINE).startswith("smartcourse.local/")


def test_every_image_of_an_offline_cluster_is_assembled() -> None:
    assembled = {recipe.name for recipe in assembly.ASSEMBLED} | {"base"}
    assert assembled == set(catalogue.IMAGES)


@pytest.mark.parametrize("recipe", assembly.ASSEMBLED, ids=lambda recipe: recipe.name)
def test_every_recipe_has_its_dockerfile_and_modules(recipe: assembly.Recipe) -> None:
    text = (assembly.RECIPES / recipe.directory / "Dockerfile").read_text(encoding="utf-8")
    assert recipe.directory != "static" or f" AS {recipe.name}\n" in text
    for module, _ in recipe.programs:
        assert (OFFLINE / "go" / module / "go.mod").is_file()


def test_manifests_in_the_node_image_name_images_of_the_catalogue() -> None:
    known = {catalogue.reference(name, Source.OFFLINE) for name in catalogue.IMAGES}
    node = assembly.RECIPES / "node"
    for document in yaml.safe_load_all((node / "default-storage.yaml").read_text(encoding="utf-8")):
        if document["kind"] == "Deployment":
            assert {container["image"] for container in document["spec"]["template"]["spec"]["containers"]} <= known
    assert catalogue.reference("pause", Source.OFFLINE) in (node / "containerd.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", addons.ADDONS)
@pytest.mark.parametrize("source", list(Source))
def test_an_addons_manifest_holds_the_chosen_image(name: str, source: Source) -> None:
    documents = list(yaml.safe_load_all(addons.manifest(name, source)))
    (workload,) = [document for document in documents if document["kind"] == "Deployment"]
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    assert container["image"] == catalogue.reference(name, source)


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The mailbox's objects by kind, on an engine whose base image has a known id."""
    monkeypatch.setattr(docker, "image_id", lambda reference: f"sha256:{reference}")
    images.reference.cache_clear()
    documents = yaml.safe_load_all(addons.manifest("mailbox", Source.OFFLINE))
    yield {document["kind"]: document for document in documents}
    images.reference.cache_clear()


def test_the_mailbox_is_where_the_sample_sends_its_mail(mailbox: dict[str, Any]) -> None:
    place = urlsplit(application.mail_secret()["stringData"]["url"])
    service = mailbox["Service"]
    assert place.hostname == f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"
    assert {port["name"]: port["port"] for port in service["spec"]["ports"]}["smtp"] == place.port


def test_the_mailbox_is_read_under_a_path_that_goes_before_every_smartcourse(mailbox: dict[str, Any]) -> None:
    ingress = mailbox["Ingress"]
    ((path,),) = [rule["http"]["paths"] for rule in ingress["spec"]["rules"]]
    assert f"{path['path']}/" == addons.MAILBOX_PATH
    assert int(ingress["metadata"]["annotations"]["traefik.ingress.kubernetes.io/router.priority"]) > 253  # a host name
    (container,) = mailbox["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "PREFIX", "value": path["path"]}]


def test_the_mailboxs_pod_is_restricted_as_any_other(mailbox: dict[str, Any]) -> None:
    (container,) = mailbox["Deployment"]["spec"]["template"]["spec"]["containers"]
    context = container["securityContext"]
    assert (context["runAsNonRoot"], context["readOnlyRootFilesystem"]) == (True, True)
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]
    assert container["image"].startswith("smartcourse.local/mailbox:")
    assert "egress" not in mailbox["NetworkPolicy"]["spec"], "it reaches nothing"


def test_the_cluster_listens_on_the_loopback_address_alone() -> None:
    found = cluster.configuration(Settings(http_port=8081, nodes=3), Source.OFFLINE)
    (port,) = found["nodes"][0]["extraPortMappings"]
    assert (port["listenAddress"], port["hostPort"], port["containerPort"]) == ("127.0.0.1", 8081, 30080)
    assert [node["role"] for node in found["nodes"]] == ["control-plane", "worker", "worker"]


def test_only_an_assembled_cluster_takes_kubernetes_from_the_local_registry() -> None:
    assert cluster.cluster_patch(Source.OFFLINE)["imageRepository"] == "smartcourse.local"
    assert "imageRepository" not in cluster.cluster_patch(Source.UPSTREAM)


@pytest.mark.parametrize(
    ("name", "value"),
    [("CLUSTER", "No_Good"), ("HTTP_PORT", "eighty"), ("HTTP_PORT", "70000"), ("NODES", "0"), ("IMAGES", "some")],
)
def test_a_variable_with_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment()


@pytest.mark.parametrize(("bounding", "lacks"), [("000001ffffffffff", False), ("000001fffeffffff", True)])
def test_a_host_without_cap_sys_resource_is_recognised(bounding: str, *, lacks: bool) -> None:
    assert engine.lacks_capability(f"Name:\tx\nCapBnd:\t{bounding}\n") is lacks
