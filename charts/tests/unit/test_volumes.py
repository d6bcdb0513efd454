"""A volume that held data and is empty is not initialised again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Document = dict[str, Any]
Render = Callable[..., list[Document]]
HELD = ("global.databases.postgres.initialised=true", "global.databases.mongodb.initialised=true")


def stateful_sets(objects: list[Document]) -> dict[str, Document]:
    return {each["metadata"]["name"]: each["spec"]["template"] for each in objects if each["kind"] == "StatefulSet"}


@pytest.mark.parametrize(
    ("initialised", "files", "starts"),
    [
        ("false", [], True),
        ("false", ["PG_VERSION"], True),
        ("true", ["PG_VERSION"], True),
        ("true", ["PG_VERSION", "lost+found"], True),
        ("true", [], False),
        ("true", ["lost+found"], False),
    ],
)
@pytest.mark.parametrize("name", ["postgres", "mongodb"])
def test_only_an_empty_volume_that_held_data_is_refused(
    render: Render, tmp_path: Path, name: str, initialised: str, files: list[str], *, starts: bool
) -> None:
    [guard] = stateful_sets(render("minimal"))[f"academy-{name}"]["spec"]["initContainers"]
    data, state = tmp_path / "data", tmp_path / "state"
    for directory in (data, state):
        directory.mkdir()
    for file in files:
        (data / file).touch()
    (state / "initialised").write_text(initialised)  # as a ConfigMap's file: without an end of line
    [script] = guard["args"]
    done = subprocess.run(
        [*guard["command"], script.replace("/state/", f"{state}/")], env={"DATA": str(data)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) is starts, done.stderr
    assert starts or "is empty" in done.stderr


def test_it_looks_where_the_server_keeps_its_files(render: Render) -> None:
    for name, template in stateful_sets(render("minimal")).items():
        if name == "academy-redis":
            assert "initContainers" not in template["spec"], "it holds nothing that cannot be rebuilt"
            continue
        [guard], [server] = template["spec"]["initContainers"], template["spec"]["containers"]
        [mount] = [each for each in server["volumeMounts"] if each["name"] == "data"]
        assert mount in guard["volumeMounts"]
        env = {each["name"]: each.get("value") for each in [*server["env"], *guard["env"]]}
        assert env["DATA"] == env.get("PGDATA", mount["mountPath"])


def test_that_a_database_holds_data_restarts_nothing(render: Render) -> None:
    assert stateful_sets(render("minimal")) == stateful_sets(render("minimal", *HELD))
    states = {
        each["metadata"]["name"]: each["data"]
        for each in render("minimal", *HELD)
        if each["kind"] == "ConfigMap" and "initialised" in each["data"]
    }
    names = ("academy-postgres-state", "academy-mongodb-state")
    assert states == {name: {"initialised": "true"} for name in names}
