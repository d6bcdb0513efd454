"""Ways from one release to another."""

from __future__ import annotations

import pytest

from smartcourse_operator.core.status import KnownRelease
from smartcourse_operator.core.versions import Release, Releases, path

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
