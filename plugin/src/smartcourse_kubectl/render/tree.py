"""One SmartCourse as a tree."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from smartcourse_kubectl.core.ages import age
from smartcourse_kubectl.core.view import Condition, Pod, Rotation, View, Volume
from smartcourse_operator.core.phases import ESSENTIAL
from smartcourse_operator.core.status import ConditionType, Phase, RotationPhase

GOOD, BAD, BUSY = ("✓", "green"), ("✗", "red"), ("…", "yellow")
PROGRESS = (Phase.SECRETS, *(phase for phase in ESSENTIAL if phase is not Phase.FORWARD_AUTH))
"""The phases that every installation goes through."""


def mark(shown: tuple[str, str]) -> Text:
    sign, style = shown
    return Text(sign, style=style)


def state_of(view: View) -> tuple[str, str]:
    """Return one word for the whole, and its colour."""
    if view.is_paused:
        return "Paused", "yellow"
    if view.is_hibernated:
        return "Hibernated", "yellow"
    if view.is_ready:
        return "Ready", "green"
    degraded = view.condition(ConditionType.DEGRADED)
    return ("Degraded", "red") if degraded and not degraded.is_good else ("Not ready", "yellow")


def grid(rows: Iterable[tuple[RenderableType, ...]], *, ratio_last: bool = False) -> Table:
    """Return aligned columns; with `ratio_last` the last one takes the width that is left and wraps."""
    table = Table.grid(padding=(0, 2, 0, 0), expand=ratio_last)
    listed = list(rows)
    count = len(listed[0]) if listed else 0
    for index in range(count):
        is_last = index == count - 1
        table.add_column(no_wrap=not is_last, ratio=1 if is_last and ratio_last else None, overflow="fold")
    for row in listed:
        table.add_row(*row)
    return table


def phases(view: View) -> Text:
    """Return the phases in their order: done, under way, to come."""
    known = [phase.value for phase in PROGRESS]
    current = view.phase or known[0]
    reached = len(known) if current == Phase.READY else known.index(current) if current in known else -1
    if reached < 0:
        return Text(current, style="yellow")
    line = Text()
    for index, name in enumerate(known):
        sign, style = GOOD if index < reached else BUSY if index == reached else ("·", "dim")
        line.append(f"{sign} {name}", style=style)
        line.append("  ")
    return line


def condition_row(condition: Condition, now: datetime) -> tuple[RenderableType, ...]:
    since = Text(age(condition.since, now), style="dim", justify="right")
    message = Text(condition.message, style="" if condition.is_good else "bold")
    sign = mark(GOOD if condition.is_good else BAD)
    return sign, Text(f"{condition.type}={condition.status}"), Text(condition.reason), since, message


def pod_row(pod: Pod, now: datetime) -> tuple[RenderableType, ...]:
    sign = BUSY if pod.is_leaving else GOOD if pod.is_ready else BAD if pod.trouble else BUSY
    restarts = f"{pod.restarts} restart{'' if pod.restarts == 1 else 's'}"
    told = "leaving" if pod.is_leaving else pod.phase if not pod.is_ready else ""
    images = ", ".join(dict.fromkeys(pod.images))
    return (
        mark(sign),
        Text(pod.name),
        Text(f"{pod.ready}/{pod.containers}"),
        Text(restarts, style="yellow" if pod.restarts else "dim"),
        Text(age(pod.created, now), style="dim", justify="right"),
        Text(pod.node or "no node", style="dim"),
        Text(images + (f"  {told}" if told else ""), style=""),
    )


def pods(view: View, now: datetime) -> RenderableType:
    if not view.pods:
        return Text("none", style="dim")
    parts: list[RenderableType] = [grid(pod_row(pod, now) for pod in view.pods)]
    parts += [Text(f"{pod.name}: {pod.trouble}", style="red") for pod in view.pods if pod.trouble]
    return Group(*parts)


def volume_row(volume: Volume) -> tuple[RenderableType, ...]:
    sign = mark(GOOD if volume.phase == "Bound" and not volume.wanted else BUSY)
    size = f"{volume.size}, {volume.wanted} asked for" if volume.wanted else volume.size
    return sign, Text(volume.name), Text(size), Text(volume.phase), Text(volume.storage_class, style="dim")


def rotation_row(rotation: Rotation, now: datetime) -> tuple[RenderableType, ...]:
    is_done = rotation.phase in (RotationPhase.RETAINED, RotationPhase.COMPLETED)
    sign = GOOD if is_done else BAD if rotation.phase == RotationPhase.REFUSED else BUSY
    since = Text(age(rotation.completed or rotation.started, now), style="dim", justify="right")
    return mark(sign), Text(rotation.secret), Text(rotation.phase), since, Text(rotation.message)


def version(view: View) -> Text:
    line = Text(view.version or "none yet")
    if view.wanted_version and view.wanted_version != view.version:
        line.append(f"  wanted: {view.wanted_version}", style="yellow")
    if view.newest_version and view.newest_version not in (view.version, view.wanted_version):
        line.append(f"  the operator has {view.newest_version}", style="cyan")
    return line


def branch(tree: Tree, name: str, content: RenderableType) -> None:
    tree.add(Group(Text(name, style="bold"), content))


def backup(view: View, now: datetime) -> Text:
    if view.last_backup_at:
        return Text(f"{view.last_backup}, {age(view.last_backup_at, now)} old")
    is_set = view.spec.get("backup") is not None
    return Text("none yet", style="yellow") if is_set else Text("none: spec.backup is not set", style="dim")


def facts(view: View, now: datetime) -> Table:
    return grid(
        [
            (Text("URL", style="bold"), Text(view.url or "none yet", style="link " + view.url if view.url else "dim")),
            (Text("Version", style="bold"), version(view)),
            (Text("Backup", style="bold"), backup(view, now)),
            (Text("Phase", style="bold"), phases(view)),
        ]
    )


def tree(view: View, now: datetime) -> Tree:
    """Return all that is known of a SmartCourse."""
    word, style = state_of(view)
    head = Text.assemble((view.name, "bold"), "  ", (word, f"bold {style}"), "  ",
                         (f"namespace {view.namespace} · {age(view.created, now)} old", "dim"))  # fmt: skip
    made = Tree(head, guide_style="dim")
    made.add(facts(view, now))
    if view.waits_for:
        branch(made, "Waits for", Text(view.waits_for, style=style))
    if view.conditions:
        branch(made, "Conditions", grid((condition_row(one, now) for one in view.conditions), ratio_last=True))
    branch(made, "Pods", pods(view, now))
    if view.volumes:
        branch(made, "Volumes", grid(map(volume_row, view.volumes)))
    if view.rotations:
        branch(made, "Rotations", grid((rotation_row(one, now) for one in view.rotations), ratio_last=True))
    return made
