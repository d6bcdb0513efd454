"""Help, wrong use, completion."""

from __future__ import annotations

import click
import pytest

from smartcourse_kubectl.cli import cli, run
from smartcourse_kubectl.completion import proposals


@pytest.mark.parametrize("command", [[], *([name] for name in cli.commands)])
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(" ".join(["Usage: kubectl smartcourse", *command]))
    assert "--context" in text


def test_wrong_use_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["restart", "everything"]) == 2
    assert "'gateway', 'user', 'course'" in capsys.readouterr().err
    assert run(["status", "--watch", "-o", "json"]) == 2


def test_every_option_and_argument_is_described() -> None:
    for name, command in cli.commands.items():
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, f"{name} {parameter.name}"


def test_kubectls_completion_is_offered_commands_and_components() -> None:
    assert any(line.startswith("status\t") for line in proposals(["st"]))
    assert proposals(["restart", "gat"]) == ["gateway"]
    assert any(line.startswith("--follow") for line in proposals(["logs", "--fol"]))
