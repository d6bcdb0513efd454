"""Releases with charts of their own, and operators of other versions that find what an earlier one installed."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.testing.controlplane import ControlPlane, program
from smartcourse_operator import closing
from smartcourse_operator.adapters import charts
from smartcourse_operator.adapters.cluster import Cluster
from smartcourse_operator.adapters.helm import Chart, Renderer, RenderError
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import DEPLOYMENT, SMART_COURSE, STATEFUL_SET, Document
from smartcourse_operator.main import Operator

from .conftest import ROOT, Gateways, MakeOperator, Runner, operators, platforms
from .test_repairing import WRITES
from .test_upgrading import NO_BACKUP, until_runs, until_told
from .world import Machinery, Platform, eventually

CHART = ROOT / "charts" / "smartcourse"
FIRST = ROOT / "manifests" / "releases" / "1.0.0.yaml"
LOOKS = 3
MADE_FOR = "smartcourse.io/made-for"


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert before in text, f"{path} has been rewritten: derive the charts of tests in another way"
    path.write_text(text.replace(before, after), encoding="utf-8")


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The charts of a later release: all pods have an annotation more, and user-service another default."""
    directory = tmp_path_factory.mktemp("later")
    shutil.copytree(ROOT / "charts", directory / "charts", symlinks=True)
    for name in ("postgres", "redis"):
        shutil.copytree(ROOT / "infrastructure" / name, directory / "infrastructure" / name)
    library = directory / "charts" / "lib" / "templates"
    port = '        prometheus.io/port: "9090"\n'
    edit(library / "_workload.tpl", port, f'{port}        {MADE_FOR}: "1.1.0"\n')
    condition = "      {{- with .annotations | trim }}\n      annotations:\n"
    always = f'      annotations:\n        {MADE_FOR}: "1.1.0"\n      {{{{- with .annotations | trim }}}}\n'
    edit(library / "_statefulset.tpl", condition, always)
    user = directory / "charts" / "user" / "values.yaml"
    edit(user, "\nresources: {}\n", "\nresources: {limits: {memory: 321Mi}}\n")
    return directory / "charts" / "smartcourse"


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """1.0.0 as it is when it is closed, and 1.1.0, whose charts are the operator's own."""
    directory = tmp_path / "releases"
    directory.mkdir()
    first = yaml.safe_load(FIRST.read_text(encoding="utf-8"))
    first.pop("charts", None)
    (directory / "1.0.0.yaml").write_text(yaml.safe_dump(first, sort_keys=False), encoding="utf-8")
    closing.close(directory, CHART, ROOT / "manifests" / "samples")
    images = {component: f"{reference}-of-1.1.0" for component, reference in first["images"].items()}
    later = {**first, "version": "1.1.0", "upgradeFrom": ["1.0.0"], "images": images}
    (directory / "1.1.0.yaml").write_text(yaml.safe_dump(later), encoding="utf-8")
    return directory


async def workloads(platform: Platform) -> dict[str, Document]:
    return {
        f"{kind.kind} {one['metadata']['name']}": one
        for kind in (DEPLOYMENT, STATEFUL_SET)
        for one in await platform.cluster.select(kind, platform.namespace, names.instance_selector("academy"))
    }


async def generations(platform: Platform) -> dict[str, tuple[str, int]]:
    """Return what changes when pods of a workload are replaced, or the workload itself is."""
    found = (await workloads(platform)).items()
    return {name: (one["metadata"]["uid"], one["metadata"]["generation"]) for name, one in found}


async def made_for(platform: Platform) -> set[str | None]:
    found = (await workloads(platform)).values()
    return {(one["spec"]["template"]["metadata"].get("annotations") or {}).get(MADE_FOR) for one in found}


async def until_looked_at(plane: ControlPlane, platform: Platform) -> None:
    """Wait until an operator has looked at a SmartCourse several times: its children are listed with each."""

    def looks() -> int:
        asked = f"/namespaces/{platform.namespace}/deployments?"
        return sum(asked in one and "labelSelector" in one for one in plane.operator_requests({"list"}))

    before = looks()

    async def enough() -> bool:
        return looks() >= before + LOOKS

    await eventually(enough, what="the operator to look at it again and again", every_seconds=0.5)


def written(plane: ControlPlane, platform: Platform) -> list[str]:
    return [one for one in plane.operator_requests(WRITES) if f"/namespaces/{platform.namespace}/" in one]


async def knows(platform: Platform, version: str) -> None:
    def told(status: Document) -> bool:
        return version in [one["version"] for one in status.get("releases") or ()]

    await platform.until(told, f"looked at by an operator that knows {version}")


async def test_an_operator_of_another_version_restarts_nothing_until_it_is_asked_for_its_release(
    platform: Platform, make_operator: MakeOperator, control_plane: ControlPlane, changed: Path, releases: Path
) -> None:
    await make_operator().install(platform, updateStrategy=NO_BACKUP)
    before, writes = await generations(platform), len(written(control_plane, platform))

    make_operator(chart=changed, releases=releases).start()
    await knows(platform, "1.1.0")
    await until_looked_at(control_plane, platform)
    await platform.until_ready()
    assert await generations(platform) == before
    status = f"/namespaces/{platform.namespace}/smartcourses/academy/status"
    others = [one for one in written(control_plane, platform)[writes:] if status not in one]
    assert others == [], "only the releases that it knows are new"

    await platform.change(version="1.1.0")
    await until_runs(platform, "1.1.0")
    assert await made_for(platform) == {"1.1.0"}
    [container] = (await workloads(platform))["Deployment academy-user"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "321Mi"

    await platform.change(version="1.0.0")
    await until_runs(platform, "1.0.0")
    assert await made_for(platform) == {None}, "each step is rendered from its release's charts"


async def test_a_release_whose_charts_are_not_there_is_told_and_what_runs_is_left_alone(
    platform: Platform, make_operator: MakeOperator, control_plane: ControlPlane, changed: Path, releases: Path
) -> None:
    await make_operator().install(platform)
    before = await generations(platform)
    shutil.rmtree(releases / "charts")
    second = make_operator(chart=changed, releases=releases)
    second.start()
    told = await until_told(platform, "VersionUnknown", "Degraded")
    assert "release 1.0.0 is made of charts that this operator does not carry, those of digest" in told["message"]
    await second.stop()
    assert await generations(platform) == before


async def lose_status(platform: Platform) -> None:
    lost = {"status": dict.fromkeys((await platform.get())["status"])}
    await platform.cluster.merge(SMART_COURSE, platform.namespace, "academy", lost, subresource="status")


async def test_a_release_that_the_status_does_not_tell_is_that_of_the_gateways_image(
    platform: Platform, make_operator: MakeOperator, changed: Path, releases: Path
) -> None:
    await make_operator().install(platform)
    before = await generations(platform)
    await lose_status(platform)
    second = make_operator(chart=changed, releases=releases)
    second.start()
    found = await platform.until_ready()
    assert found["status"]["version"] == "1.0.0"
    await second.stop()
    assert await generations(platform) == before

    await lose_status(platform)
    (releases / "1.0.0.yaml").unlink()
    make_operator(chart=changed, releases=releases).start()
    told = await until_told(platform, "VersionUnknown", "Degraded")
    assert "set spec.version to the release that runs" in told["message"]
    assert await generations(platform) == before


async def test_a_further_release_is_made_of_the_charts_that_it_names(
    platform: Platform, make_operator: MakeOperator, changed: Path, releases: Path, tmp_path: Path
) -> None:
    first = yaml.safe_load((releases / "1.0.0.yaml").read_text(encoding="utf-8"))
    further = tmp_path / "further"
    further.mkdir()
    theirs = {**first, "version": "1.0.1", "upgradeFrom": ["1.0.0"]}
    (further / "1.0.1.yaml").write_text(yaml.safe_dump(theirs), encoding="utf-8")
    make_operator(chart=changed, releases=releases, further_releases=further).start()
    await platform.create(version="1.0.1")
    await platform.until_ready()
    assert await made_for(platform) == {None}


async def test_an_operator_whose_packed_charts_are_others_than_it_says_does_not_start(
    make_operator: MakeOperator, changed: Path, releases: Path
) -> None:
    [archive] = (releases / "charts").glob("*.tgz")
    archive.write_bytes(charts.pack(charts.files_in(changed), "smartcourse"))
    settings = make_operator(releases=releases).settings
    with pytest.raises(charts.ChartsError, match=f"{archive.name} holds other charts than its name says"):
        Operator(settings)
    archive.write_bytes(archive.read_bytes()[:1000])
    with pytest.raises(charts.ChartsError, match=f"{archive.name} cannot be read"):
        Operator(settings)


@pytest.fixture
def renderer() -> Renderer:
    return Renderer(program("HELM"))


def packed(directory: Path, chart: Path) -> Chart:
    files = charts.files_in(chart)
    archive = directory / f"{charts.digest_of(files)}{charts.SUFFIX}"
    archive.write_bytes(charts.pack(files, "smartcourse"))
    return charts.read_packed(archive)


def values(**more: Any) -> dict[str, Any]:
    """Return the values of the smallest platform."""
    made = closing.given({})
    made["global"]["images"] = dict.fromkeys(names.COMPONENTS, "registry.example/one:1.0.0")
    return {**made, **more}


async def test_packed_charts_render_the_same(renderer: Renderer, tmp_path: Path) -> None:
    there = packed(tmp_path, CHART)
    here = charts.read(CHART)
    assert here.digest == there.digest
    # The cache goes by the digest, so each is given a renderer.
    once, again = renderer, Renderer(program("HELM"))
    assert await once.render(here, "academy", "a", values()) == await again.render(there, "academy", "a", values())


async def test_what_is_remembered_is_of_one_charts_digest(renderer: Renderer, changed: Path, tmp_path: Path) -> None:
    earlier, later = packed(tmp_path, CHART), charts.read(changed)
    for _ in range(2):
        assert MADE_FOR not in str(await renderer.render(earlier, "academy", "a", values()))
        assert MADE_FOR in str(await renderer.render(later, "academy", "a", values()))


async def test_charts_of_an_earlier_release_are_not_given_what_they_do_not_know(
    renderer: Renderer, tmp_path: Path
) -> None:
    made = values()
    later = {
        **made,
        "user": {**made["user"], "ofALaterRelease": {"a": 1}},
        "global": {**made["global"], "ofALaterRelease": True},
        "ofALaterRelease": [],
    }
    earlier = packed(tmp_path, CHART)
    assert await renderer.render(earlier, "academy", "a", later) == await renderer.render(earlier, "academy", "a", made)
    with pytest.raises(RenderError, match="ofALaterRelease"):
        await renderer.render(charts.read(CHART), "academy", "a", later)


MakeRunner = Callable[..., Runner]


@pytest.fixture(scope="module")
async def installed(
    control_plane: ControlPlane, admin: Cluster, machinery: Machinery
) -> AsyncIterator[tuple[Platform, MakeRunner]]:
    """A Ready SmartCourse with no operator, and a maker of those; each case leaves it so."""
    async with platforms(control_plane, admin, machinery) as make_platform:
        platform = make_platform()
        async with operators(control_plane, platform.namespace, Gateways()) as make_operator:
            first = make_operator()
            first.start()
            await platform.create(version="1.0.0", backup={})
            await platform.until_ready()
            await first.stop()
            yield platform, make_operator


FIELDS = ["phase", "url", "version", "conditions", "inventory", "completedJobs", "volumes", "storage", "releases",
          "backup", "replicas", "selector", "observedGeneration"]  # fmt: skip
CONDITIONS = [
    "Ready",
    "DatabasesReady",
    "SchemaMigrated",
    "ServicesReady",
    "RouteReady",
    "BackedUp",
    "Degraded",
    "Paused",
]


Patch = Callable[[Document], Document]


def untold(field: str) -> Patch:
    return lambda _: {field: None}


def without(field: str, key: str, value: str) -> Patch:
    """Return what leaves some entries of a list out."""
    return lambda status: {field: [entry for entry in status[field] if entry[key] != value]}


def everything(status: Document) -> Document:
    return dict.fromkeys(status)


OLDER: dict[str, Patch] = {
    "everything": everything,
    **{field: untold(field) for field in FIELDS},
    **{f"condition {kind}": without("conditions", "type", kind) for kind in CONDITIONS},
    **{f"inventory of {kind}": without("inventory", "kind", kind) for kind in ("Deployment", "StatefulSet", "Job")},
    "a volume": lambda status: {"volumes": status["volumes"][1:]},
    "a Job": lambda status: {"completedJobs": status["completedJobs"][1:]},
}
"""What a status of an older operator may lack: the merge patch that takes it out."""


def comparable(status: Document) -> Document:
    """Return a status without the moments at which it was told."""
    told = dict(status)
    if "conditions" in status:
        told["conditions"] = [{**one, "lastTransitionTime": ""} for one in status["conditions"]]
    if "backup" in status:
        told["backup"] = {**status["backup"], "scheduledUntil": ""}
    return told


@pytest.mark.parametrize("lacking", OLDER)
async def test_what_an_older_operator_did_not_tell_is_told_and_nothing_restarts(
    installed: tuple[Platform, MakeRunner], lacking: str
) -> None:
    platform, make_operator = installed
    before, as_it_was = (await platform.get())["status"], await generations(platform)
    assert set(FIELDS) == set(before), "every field is a case"
    patch = {"status": OLDER[lacking](before)}
    await platform.cluster.merge(SMART_COURSE, platform.namespace, "academy", patch, subresource="status")
    assert (await platform.get()).get("status", {}) != before
    runner = make_operator()
    runner.start()

    found: Document = {}

    async def complete() -> bool:
        found.update(before=comparable(before), now=comparable((await platform.get()).get("status", {})))
        return bool(found["now"] == found["before"])

    try:
        await eventually(complete, what="the status to be told anew")
    finally:
        assert found["now"] == found["before"]
    await runner.stop()
    assert await generations(platform) == as_it_was
