"""What `make bench` runs and shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from smartcourse_dev import bench, cli

ROW = {"name": "told", "ours": 2.0, "rival": 1.0, "rival_name": "theirs", "unit": "s", "ratio": 2.0, "goal": "<= 1"}


def writing(name: str, what: str) -> str:
    """Return a module that writes the result of the benchmark `name`."""
    text = json.dumps([ROW | {"name": what}])
    return f"from pathlib import Path\nPath('build/bench/{name}.json').write_text({text!r})\n"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A tree of its own: its benchmark `gateway` fails, `reading` writes a result, `login` fails after it wrote one."""
    folder = tmp_path / "tests" / "load"
    folder.mkdir(parents=True)
    (folder / "gateway.py").write_text("raise SystemExit(1)\n")
    (folder / "reading.py").write_text(writing("reading", "reads"))
    (folder / "login.py").write_text(writing("login", "logs in") + "raise SystemExit(1)\n")
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "build" / "bench")
    monkeypatch.setattr(bench, "BENCHMARKS", ("gateway", "reading", "login"))
    monkeypatch.setattr(bench, "run_steps", lambda *_: True)
    monkeypatch.setattr(bench, "console", lambda: Console(width=cli.PIPE_WIDTH))
    bench.RESULTS.mkdir(parents=True)
    return bench.RESULTS


def test_one_benchmark_is_run_and_shown_alone(load: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main("reading") == 0
    assert "reads" in capsys.readouterr().out
    assert [path.name for path in load.iterdir()] == ["reading.json"]


def test_a_benchmark_that_fails_is_named_and_the_others_are_shown(
    load: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (load / "gateway.json").write_text(json.dumps([ROW | {"name": "yesterdays"}]))
    assert bench.main() == 1
    shown = capsys.readouterr()
    assert "reads" in shown.out
    assert "logs in" in shown.out
    assert "yesterdays" not in shown.out
    assert "Failed: gateway, login" in shown.err


def test_a_benchmark_that_there_is_not_is_refused_with_those_that_there_are(
    load: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main("reading", "writing") == 2
    assert "no benchmark writing. One of: gateway, reading, login" in capsys.readouterr().err
    assert list(load.iterdir()) == []


@pytest.mark.parametrize("name", bench.BENCHMARKS)
def test_every_benchmark_is_a_module_and_a_command(name: str) -> None:
    module = Path(__file__).resolve().parents[3] / "tests" / "load" / f"{name}.py"
    assert '__name__ == "__main__"' in module.read_text("utf-8")
    assert cli.found(f"bench-{name}") is not None
    assert f"-{name}" in cli.HELP


def test_a_command_that_there_is_not_is_none() -> None:
    assert cli.found("bench-") is None
    assert cli.found("benches") is None
