"""What every command is given: where to talk to, and the consoles; and the options that say so."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import click
from rich.console import Console

from smartcourse_kubectl.adapters.cluster import Cluster, connect

PIPE_WIDTH = 160
WHERE = ("kubeconfig", "context", "namespace")

Command = TypeVar("Command", bound=Callable[..., Any])


def console(*, stderr: bool = False) -> Console:
    """Return a console; a file or a pipe has no width to fit tables into."""
    made = Console(stderr=stderr, highlight=False)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, width=PIPE_WIDTH)


@dataclass
class Session:
    """One run of the plugin. What a program reads goes to `out`, what a person is told meanwhile to `err`."""

    where: dict[str, str]
    out: Console = field(default_factory=console)
    err: Console = field(default_factory=lambda: console(stderr=True))

    @functools.cached_property
    def cluster(self) -> Cluster:
        """The cluster, connected to when it is first asked for: wrong use is told before."""
        return connect(**self.where)

    def json(self, document: Any) -> None:
        click.echo(json.dumps(document, indent=2))


def where_options(command: Command) -> Command:
    """Add the options by which kubectl's users choose a cluster and a namespace."""
    for option in (
        click.option("-n", "--namespace", metavar="NAME", help="Namespace; unset means the context's."),
        click.option("--context", metavar="NAME", help="Context of the kubeconfig; unset means the current one."),
        click.option("--kubeconfig", metavar="FILE", help="Kubeconfig; unset means KUBECONFIG or ~/.kube/config."),
    ):
        command = option(command)
    return command


def chosen(context: click.Context, given: dict[str, str | None]) -> dict[str, str]:
    """Return where to talk to: what the command was given, else what was given before the command's name."""
    before: dict[str, str | None] = context.obj or {}
    return {name: given.get(name) or before.get(name) or "" for name in WHERE}


def with_session(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a `session`, made of the options of `where_options`."""

    @where_options
    @click.pass_context
    @functools.wraps(command)
    def wrapped(context: click.Context, /, **arguments: Any) -> Any:
        where = chosen(context, {name: arguments.pop(name) for name in WHERE})
        return command(Session(where), **arguments)

    return wrapped


json_option = click.option("-o", "--output", type=click.Choice(["json"]), help="Print JSON, for programs.")
