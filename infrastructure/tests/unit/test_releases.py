"""The newest release's file says which revisions its services' tables need."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.migrations import Migrations
from smartcourse_dev import releases

SCHEMAS = {"user": {"expand": "user_0005", "contract": "user_0006"}, "notification": {"expand": "0003"}}
WRITTEN = """\
schema:
  user: {expand: user_0005, contract: user_0006}
  notification: {expand: '0003'}
"""


def test_the_newest_release_has_the_revisions_of_the_services_code(capsys: pytest.CaptureFixture[str]) -> None:
    releases.main()
    assert capsys.readouterr().out == releases.newest().read_text(encoding="utf-8"), "run `make generate`"


@pytest.mark.parametrize("before", ["", "schema: {}\n", "schema:\n  user: {expand: user_0004}\n  other: {}\n"])
def test_only_the_schema_of_a_release_is_written(before: str) -> None:
    head, tail = "# A comment.\nversion: 1.0.0\n", "images: {}\n" if before.startswith("schema:\n") else ""
    assert releases.with_schema(head + before + tail, SCHEMAS) == head + WRITTEN + tail


def test_releases_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0", "1.2.11"):
        (tmp_path / f"{version}.yaml").touch()
    assert releases.newest(tmp_path).name == "1.10.0.yaml"


@pytest.mark.parametrize(
    ("phases", "revisions"),
    [
        (["expand", "expand"], {"expand": "2"}),
        (["expand", "contract"], {"expand": "1", "contract": "2"}),
        (["expand", "contract", "contract"], {"expand": "1", "contract": "3"}),
        (["expand", "contract", "expand"], {"expand": "3"}),
    ],
)
def test_a_release_contracts_where_the_last_revisions_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, phases: list[str], revisions: dict[str, str]
) -> None:
    name = f"made_of_{'_'.join(phases)}"
    folder = tmp_path / name / "migrations" / "versions"
    folder.mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    for number, phase in enumerate(phases, start=1):
        before = repr(str(number - 1)) if number > 1 else None
        (folder / f"{number}.py").write_text(f"revision, down_revision, phase = '{number}', {before}, '{phase}'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert releases.schema(Migrations(name, "user")) == revisions
