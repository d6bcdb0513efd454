"""Releases that are closed: their charts, and what those are given, change no more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from smartcourse_operator import closing
from smartcourse_operator.adapters import charts
from smartcourse_operator.core import values
from smartcourse_operator.core.versions import ChartsUnknownError, Releases

ROOT = Path(__file__).resolve().parents[3]
RELEASES, CHART, SAMPLES = ROOT / "manifests/releases", ROOT / "charts/smartcourse", ROOT / "manifests/samples"
VERSION = closing.read(RELEASES)[-1][1].version


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart of one file, and another that it leads to."""
    directory, aside = tmp_path / "smartcourse", tmp_path / "aside"
    directory.mkdir()
    aside.mkdir()
    (directory / "Chart.yaml").write_text("name: smartcourse\n", encoding="utf-8")
    (aside / "values.yaml").write_text("a: 1\n", encoding="utf-8")
    (directory / "aside").symlink_to(aside)
    return directory


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """Today's newest release, closed."""
    directory = tmp_path / "releases"
    shutil.copytree(RELEASES, directory)
    closing.close(directory, CHART, SAMPLES)
    return directory


def test_the_committed_releases_are_rendered_as_when_they_were_closed() -> None:
    assert list(closing.problems(RELEASES, CHART)) == []


def test_a_digest_is_of_what_the_files_hold_packed_or_not(chart: Path, tmp_path: Path) -> None:
    files = charts.files_in(chart)
    assert set(files) == {"Chart.yaml", "aside/values.yaml"}
    archive = tmp_path / f"{charts.digest_of(files)}.tgz"
    archive.write_bytes(charts.pack(files, chart.name))
    assert charts.files_of(archive) == files
    assert charts.read_packed(archive).digest == charts.read(chart).digest
    assert charts.pack(files, chart.name) == archive.read_bytes(), "packed again it is the same"
    (tmp_path / "aside" / "values.yaml").write_text("a: 2\n", encoding="utf-8")
    assert charts.read(chart).digest != charts.read_packed(archive).digest


def test_a_closed_release_names_its_charts_and_is_otherwise_as_it_was(closed: Path) -> None:
    path, release = closing.read(closed)[-1]
    assert release.charts == charts.read(CHART).digest
    before = (RELEASES / path.name).read_text(encoding="utf-8").splitlines()
    now = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in now if line not in before] == [f"charts: {release.charts}"]
    assert [line for line in before if line not in now] == []
    assert list(closing.problems(closed, CHART)) == []
    state = {file: file.read_bytes() for file in closed.rglob("*.*")}
    assert "is closed already" in closing.close(closed, CHART, SAMPLES)
    assert {file: file.read_bytes() for file in closed.rglob("*.*")} == state


def test_charts_edited_after_their_release_was_closed_are_told(closed: Path, chart: Path) -> None:
    assert list(closing.problems(closed, chart)) == [
        f"the charts are no longer those of {VERSION}, which is closed: begin the next release"
    ]
    _begin(closed, "9.0.0")
    assert list(closing.problems(closed, chart)) == []


def test_a_release_is_to_be_closed_before_the_next_begins(tmp_path: Path) -> None:
    shutil.copytree(RELEASES, tmp_path / "releases")
    _begin(tmp_path / "releases", "9.0.0")
    assert f"{VERSION} is to be closed before 9.0.0 begins" in list(closing.problems(tmp_path / "releases", CHART))


def _begin(directory: Path, version: str) -> None:
    document = yaml.safe_load(closing.read(directory)[-1][0].read_text(encoding="utf-8"))
    document.pop("charts", None)
    (directory / f"{version}.yaml").write_text(yaml.safe_dump({**document, "version": version}), encoding="utf-8")


@pytest.mark.parametrize(
    ("key", "is_told"),
    [("ofALaterRelease", False), ("maintenance", True)],
    ids=["a key that the charts do not know", "another value for one that they know"],
)
def test_other_values_for_a_closed_releases_charts_are_told(
    closed: Path, monkeypatch: pytest.MonkeyPatch, key: str, *, is_told: bool
) -> None:
    made = values.chart_values

    def later(*args: Any, **kwargs: Any) -> values.Values:
        found = made(*args, **kwargs)
        return {**found, "gateway": {**found["gateway"], key: "other"}}

    monkeypatch.setattr(values, "chart_values", later)
    told = f"{VERSION}: its charts are given other values for the sample academy than when it was closed"
    assert (told in list(closing.problems(closed, CHART))) is is_told


def test_each_sample_is_recorded_with_its_defaults(closed: Path) -> None:
    kept = json.loads(closing.recorded(closed, VERSION).read_text(encoding="utf-8"))
    assert {path.stem for path in SAMPLES.glob("*.yaml")} == set(kept)
    assert all("databases" in one["spec"] for one in kept.values())


def test_a_release_without_its_charts_is_told_and_not_known(closed: Path) -> None:
    _begin(closed, "9.0.0")
    found = Releases.read(closed)
    assert [one.version for one in found.known()] == ["9.0.0"]
    with pytest.raises(ChartsUnknownError, match=f"release {VERSION} is made of charts that this operator does not"):
        found.get(VERSION)
    assert Releases.read(closed, charts={charts.read(CHART).digest}).get(VERSION).version == VERSION


def test_a_further_release_of_the_same_version_keeps_the_charts(closed: Path, tmp_path: Path) -> None:
    further = tmp_path / "further"
    further.mkdir()
    text = yaml.safe_dump({"version": VERSION, "images": {"user": "mirror.example/user:of-mine"}})
    (further / f"{VERSION}.yaml").write_text(text, encoding="utf-8")
    digest = charts.read(CHART).digest
    assert Releases.read(closed, further=further, charts={digest}).get(VERSION).charts == digest
