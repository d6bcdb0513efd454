"""`status`: how it is, and what it waits for."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click
from rich.console import RenderableType
from rich.live import Live

from smartcourse_kubectl.adapters.cluster import ApiError, Cluster
from smartcourse_kubectl.adapters.observer import observe, resolve, smart_courses
from smartcourse_kubectl.commands.arguments import name_argument
from smartcourse_kubectl.core.view import View, to_json
from smartcourse_kubectl.errors import Exit
from smartcourse_kubectl.render.table import table
from smartcourse_kubectl.render.tree import tree
from smartcourse_kubectl.session import Session, json_option, with_session

REFRESH_SECONDS = 2.0


@click.command(short_help="How it is, and what it waits for.")
@name_argument
@click.option("-A", "--all-namespaces", is_flag=True, help="A table of those in all namespaces.")
@click.option("-w", "--watch", is_flag=True, help="Show it anew every two seconds, until Ctrl-C.")
@json_option
@with_session
def status(session: Session, name: str | None, *, all_namespaces: bool, watch: bool, output: str | None) -> None:
    """Show how a SmartCourse is: conditions, pods, volumes, versions, and what it waits for.

    Without NAME: a table of all in the namespace, or the one if there is only one.

    Exits 0 only when all that is shown is Ready; 1 when something is not.
    """
    if watch and output:
        raise click.UsageError("--watch is for people, -o json for programs: give one of them.")
    if name and all_namespaces:
        raise click.UsageError("NAME is looked up in one namespace: give either NAME or -A.")
    shown = looked(session.cluster, name, all_namespaces=all_namespaces)
    if watch:
        shown = watched(session, name, shown, all_namespaces=all_namespaces)
    elif output:
        session.json(to_json(shown[0]) if name else {"items": [to_json(one) for one in shown]})
    else:
        session.out.print(drawn(shown, is_table=all_namespaces))
    click.get_current_context().exit(Exit.DONE if all(one.is_ready for one in shown) else Exit.NO)


def looked(cluster: Cluster, name: str | None, *, all_namespaces: bool) -> list[View]:
    """Return the views to show, one at least.

    Raises:
        PluginError: there is no SmartCourse there.
    """
    if name:
        return [observe(cluster, resolve(cluster, name))]
    found = smart_courses(cluster, "" if all_namespaces else cluster.namespace)
    if not found:
        resolve(cluster, None)  # says what there is elsewhere
    return [observe(cluster, one) for one in found]


def drawn(shown: list[View], *, is_table: bool) -> RenderableType:
    now = datetime.now(UTC)
    return table(shown, now) if is_table or len(shown) > 1 else tree(shown[0], now)


def watched(session: Session, name: str | None, shown: list[View], *, all_namespaces: bool) -> list[View]:
    """Show the views until interrupted and return the last ones."""
    try:
        with Live(drawn(shown, is_table=all_namespaces), console=session.out, auto_refresh=False) as live:
            while True:
                time.sleep(REFRESH_SECONDS)
                try:
                    shown = looked(session.cluster, name, all_namespaces=all_namespaces)
                except ApiError as error:
                    if error.status:
                        raise
                    continue  # the API server is away: what was seen last stays
                live.update(drawn(shown, is_table=all_namespaces), refresh=True)
    except KeyboardInterrupt:
        return shown
