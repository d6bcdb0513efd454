"""Arguments that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from smartcourse_kubectl.adapters.cluster import connect
from smartcourse_kubectl.adapters.observer import smart_courses
from smartcourse_kubectl.errors import PluginError
from smartcourse_kubectl.session import WHERE, chosen
from smartcourse_operator.core import names


def complete_name(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the SmartCourses of the namespace; without a cluster there is nothing to offer."""
    try:
        cluster = connect(**chosen(context, {name: context.params.get(name) for name in WHERE}))
        found = [one["metadata"]["name"] for one in smart_courses(cluster, cluster.namespace)]
    except PluginError:
        return []
    return [CompletionItem(name) for name in found if name.startswith(incomplete)]


name_argument = click.argument("name", required=False, shell_complete=complete_name)
name_option = click.option(
    "-s", "--smartcourse", "name", metavar="NAME", shell_complete=complete_name,
    help="The SmartCourse; unset means the only one in the namespace.",
)  # fmt: skip
component_argument = click.argument("component", type=click.Choice(names.COMPONENTS), metavar="COMPONENT")
wait_option = click.option("--wait/--no-wait", "waits", default=True, help="Wait until it is done (the default).")


def timeout_option(seconds: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--timeout", "timeout_seconds", type=click.IntRange(min=1), default=seconds, show_default=True,
        metavar="SECONDS", help="Give up waiting after this time; what was begun goes on.",
    )  # fmt: skip


def naming_components(command: click.Command) -> click.Command:
    """Fill `{components}` in a command's help."""
    command.help = (command.help or "").format(components=", ".join(names.COMPONENTS))
    return command
