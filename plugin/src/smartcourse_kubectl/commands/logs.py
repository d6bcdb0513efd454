"""`logs`: of all pods of a component, or of all components."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import click

from smartcourse_kubectl.adapters.cluster import Cluster
from smartcourse_kubectl.adapters.logs import Reader, Source, sources
from smartcourse_kubectl.adapters.observer import resolve
from smartcourse_kubectl.commands.arguments import name_option, naming_components
from smartcourse_kubectl.core.log_lines import parse, split
from smartcourse_kubectl.errors import PluginError
from smartcourse_kubectl.render.log_line import COLOURS, prefixed
from smartcourse_kubectl.session import Session, with_session
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import POD

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
TAIL_LINES = 100
OPERATOR = "operator"


class Span(click.ParamType[int]):
    """A span of time, in seconds: 90s, 10m, 2h, 1d."""

    name = "span"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d+)([smhd])", str(value))
        if not match:
            self.fail(f"{value!r} is no span of time: write 90s, 10m, 2h or 1d.", param, ctx)
        return int(match[1]) * UNITS[match[2]]


@naming_components
@click.command(short_help="Logs of a component's pods, readable and followed.")
@click.argument("component", type=click.Choice([*names.COMPONENTS, OPERATOR]), required=False, metavar="[COMPONENT]")
@name_option
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, of new pods too, until Ctrl-C.")
@click.option("--tail", type=click.IntRange(min=0), default=TAIL_LINES, show_default=True, metavar="LINES",
              help="Lines of each container to begin with.")  # fmt: skip
@click.option("--since", type=Span(), metavar="SPAN", help="Only what is younger, for example 10m.")
@click.option("--raw", is_flag=True, help="The lines as they were written, without prefix: for jq and grep.")
@with_session
def logs(
    session: Session, component: str | None, name: str | None, *, follow: bool, tail: int, since: int | None, raw: bool
) -> None:
    """Show the logs of all pods of COMPONENT, of all components without one.

    COMPONENT is one of {components}; `operator` is the operator's.

    JSON lines are made readable, with times in UTC; each line begins with its pod, and its container where the pod
    has several.
    """
    find = finder(session.cluster, component, name)
    query = {"tailLines": str(tail)} | ({"sinceSeconds": str(since)} if since else {})
    reader = Reader(session.cluster, query)
    found = find()
    if not found and not follow:
        raise PluginError(
            f"No container of {component or 'it'} has begun, so there is no log yet.",
            remedy="`kubectl smartcourse status` says what the pods wait for; -f waits for them.",
        )
    show(session, reader.follow(find) if follow else reader.ends(found), raw=raw, width=width_of(found))


def finder(cluster: Cluster, component: str | None, name: str | None) -> Callable[[], list[Source]]:
    """Return what finds the containers whose logs are wanted."""
    if component == OPERATOR:
        selector = f"{names.LABEL_NAME}={names.OPERATOR}"
        return lambda: sources(cluster.select(POD, names.OPERATOR_NAMESPACE, selector) or [], "smartcourse")
    metadata = resolve(cluster, name)["metadata"]
    selector = names.instance_selector(metadata["name"])
    selector += f",{names.LABEL_COMPONENT}={component}" if component else ""
    return lambda: sources(cluster.select(POD, metadata["namespace"], selector) or [], metadata["name"])


def width_of(found: Iterable[Source]) -> int:
    return max((len(source.label) for source in found), default=0)


def show(session: Session, lines: Iterable[tuple[Source, str]], *, raw: bool, width: int) -> None:
    colours: dict[Source, str] = {}
    for source, line in lines:
        if raw:
            click.echo(split(line)[1])
            continue
        colour = colours.setdefault(source, COLOURS[len(colours) % len(COLOURS)])
        session.out.print(prefixed(source.label, parse(line), width=width, colour=colour), soft_wrap=True)
