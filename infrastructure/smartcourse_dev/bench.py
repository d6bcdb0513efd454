"""`make bench` and `make bench-<name>`: benchmarks in tests/load, then one table of ours beside the rivals'.

Each is a module, `python -m tests.load.<name>`, that writes build/bench/<name>.json: a list of `{name, ours, rival,
rival_name, unit, ratio, goal}`; `rival` and `ratio` are null where there is no rival. All start what they measure, but
`operator` needs the cluster of `make up` too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from smartcourse_dev import programs
from smartcourse_dev.cli import console, run_steps

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "bench"
BENCHMARKS = ("gateway", "reading", "login", "enrolling", "operator")


def result(name: str) -> Path:
    return RESULTS / f"{name}.json"


def shown(figure: float | None, digits: int) -> str:
    return "-" if figure is None else f"{figure:.{digits}f}"


def table(names: Sequence[str]) -> Table:
    """Return the rows of those benchmarks that wrote a result."""
    made = Table("benchmark", "ours", "rival", "rival's name", "unit", "ratio", "goal", title="ours / rival, one run")
    for path in filter(Path.exists, map(result, names)):
        for row in json.loads(path.read_text(encoding="utf-8")):
            figures = (shown(row["ours"], 1), shown(row["rival"], 1), row["rival_name"], row["unit"])
            made.add_row(row["name"], *figures, shown(row["ratio"], 2), str(row["goal"]))
    return made


def run(name: str, environment: dict[str, str]) -> bool:
    """Run a benchmark; what it wrote another time is no result of this one."""
    result(name).unlink(missing_ok=True)
    command = [sys.executable, "-m", f"tests.load.{name}"]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def main(*names: str) -> int:
    """Run the benchmarks named, or all; one that fails does not keep the others from running and being shown."""
    wanted = names or BENCHMARKS
    if unknown := [name for name in wanted if name not in BENCHMARKS]:
        print(f"There is no benchmark {', '.join(unknown)}. One of: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    if not run_steps(console(), programs.steps()):
        return 1
    environment = os.environ | programs.environment()
    failed = [name for name in wanted if not run(name, environment)]
    console().print(table(wanted))
    if failed:
        hint = " `operator` needs the cluster of `make up`." if "operator" in failed else ""
        print(f"Failed: {', '.join(failed)}; above is why.{hint}", file=sys.stderr)
    return 1 if failed else 0
