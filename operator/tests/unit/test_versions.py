"""Ways from one release to another."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from smartcourse_operator.core.status import KnownRelease
from smartcourse_operator.core.versions import Release, Releases, ReleaseUnknownError, path

LINE = {"1.0.0": [], "1.1.0": ["1.0.0"], "1.2.0": ["1.1.0"], "1.10.0": ["1.1.0", "1.2.0"], "2.0.0": ["1.10.0"]}


def known(releases: dict[str, list[str]]) -> list[KnownRelease]:
    return [KnownRelease(version=version, upgrade_from=before) for version, before in releases.items()]


@pytest.mark.parametrize(
    ("current", "wanted", "way"),
    [
        ("1.0.0", "1.0.0", []),
        ("1.0.0", "1.1.0", ["1.1.0"]),
        ("1.0.0", "2.0.0", ["1.1.0", "1.10.0", "2.0.0"]),
        ("1.1.0", "1.0.0", None),
        ("1.0.0", "9.9.9", None),
        ("0.9.0", "1.0.0", None),
    ],
)
def test_the_way_has_the_fewest_steps(current: str, wanted: str, way: list[str] | None) -> None:
    assert path(known(LINE), current=current, wanted=wanted) == way


def test_releases_are_known_oldest_first() -> None:
    made = {version: Release(version=version, images={}, upgrade_from=before) for version, before in LINE.items()}
    assert [one.version for one in Releases(made).known()] == ["1.0.0", "1.1.0", "1.2.0", "1.10.0", "2.0.0"]


def test_a_release_tells_which_services_schemas_it_contracts() -> None:
    schema = {
        "user": {"expand": "3", "contract": "5"},
        "notification": {"expand": "1"},
        "course": {"expand": "7", "contract": "8"},
    }
    release = Release.model_validate({"version": "1.1.0", "images": {}, "schema": schema})
    assert release.contracts() == ["course", "user"]
    assert release.schema_["user"].expand == "3"
    assert Release(version="1.0.0", images={}).contracts() == []


def write(directory: Path, version: str, **fields: object) -> None:
    directory.mkdir(exist_ok=True)
    text = yaml.safe_dump({"version": version, "images": {"user": version, "course": version}, **fields})
    (directory / f"{version}.yaml").write_text(text, encoding="utf-8")


def test_the_operators_images_are_of_the_newest_release_that_its_own_image_carries(tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0"):
        write(tmp_path / "own", version)
    write(tmp_path / "further", "2.0.0", upgradeFrom=["1.10.0"])
    found = Releases.read(tmp_path / "own", images={"user": "mine"}, further=tmp_path / "further")
    assert found.newest().version == "2.0.0"
    assert found.get("1.10.0").images == {"user": "mine", "course": "1.10.0"}
    assert [found.get(version).images["user"] for version in ("1.9.0", "2.0.0")] == ["1.9.0", "2.0.0"]


def test_further_releases_need_not_be_there_and_go_before_the_images_own(tmp_path: Path) -> None:
    write(tmp_path / "own", "1.0.0")
    assert Releases.read(tmp_path / "own", further=tmp_path / "none").newest().images["user"] == "1.0.0"
    write(tmp_path / "further", "1.0.0", images={"user": "theirs"})
    found = Releases.read(tmp_path / "own", images={"user": "mine"}, further=tmp_path / "further")
    assert found.get("1.0.0").images == {"user": "theirs", "course": "1.0.0"}


def test_a_release_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(ReleaseUnknownError, match=r"2\.0\.0 is not known to this operator, which has 1\.0\.0"):
        Releases({"1.0.0": Release(version="1.0.0", images={})}).get("2.0.0")
