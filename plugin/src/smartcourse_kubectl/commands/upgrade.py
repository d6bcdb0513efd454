"""`upgrade`: what would happen, and doing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import click

from smartcourse_kubectl.adapters.cluster import Cluster
from smartcourse_kubectl.adapters.observer import look, resolve
from smartcourse_kubectl.commands.arguments import name_option, timeout_option, wait_option
from smartcourse_kubectl.commands.lifecycle import change
from smartcourse_kubectl.core.view import View, view
from smartcourse_kubectl.errors import Exit, PluginError
from smartcourse_kubectl.session import Session, json_option, with_session
from smartcourse_kubectl.waiting import Progress, wait
from smartcourse_operator.core.status import ConditionType
from smartcourse_operator.core.versions import ReleaseUnknownError, UpgradeRefusedError, path

UPGRADE_SECONDS = 1800
REFUSED = frozenset({ReleaseUnknownError.reason, UpgradeRefusedError.reason})


@dataclass(frozen=True)
class Plan:
    """The releases to go through; `refusal` says why there is no way."""

    current: str
    wanted: str
    steps: tuple[str, ...]
    refusal: str = ""

    @property
    def text(self) -> str:
        if self.refusal:
            return self.refusal
        if not self.steps:
            return f"{self.current} runs already."
        way = " → ".join((self.current, *self.steps))
        return f"{way}: {len(self.steps)} step{'' if len(self.steps) == 1 else 's, one after the other'}."


def plan(shown: View, wanted: str) -> Plan:
    """Return how to come from the running release to `wanted`.

    Raises:
        PluginError: nothing runs yet, or the operator does not tell its releases.
    """
    if not shown.releases:
        raise PluginError(
            f"The operator does not tell which releases it has: {shown.name} has no status.releases.",
            remedy="An operator of this release tells them; `kubectl smartcourse status` shows whether it runs.",
        )
    if not shown.version:
        raise PluginError(f"{shown.name} runs no release yet; it waits for {shown.waits_for}", code=Exit.NO)
    steps = path(shown.releases, current=shown.version, wanted=wanted)
    if steps is not None:
        return Plan(shown.version, wanted, tuple(steps))
    known = [release.version for release in shown.releases]
    if wanted not in known:
        return Plan(shown.version, wanted, (), f"The operator has no release {wanted}; it has {', '.join(known)}.")
    after = [one for one in known if path(shown.releases, current=shown.version, wanted=one)]
    told = f"what can: {', '.join(after)}" if after else "none of the operator's releases can"
    return Plan(shown.version, wanted, (), f"{wanted} cannot follow {shown.version}, not even by others; {told}.")


@click.command(short_help="Bring it to another release, or say what would happen.")
@click.argument("version", required=False)
@name_option
@click.option("--check", is_flag=True, help="Say what would happen, and change nothing. Exits 1 if it is refused.")
@wait_option
@timeout_option(UPGRADE_SECONDS)
@json_option
@with_session
def upgrade(
    session: Session, version: str | None, name: str | None, *, check: bool, waits: bool, timeout_seconds: int,
    output: str | None,
) -> None:  # fmt: skip
    """Bring a SmartCourse to VERSION, or to the newest that the operator has, release by release.

    Each step sets spec.version and waits until the release is Ready. Where one halts, what ran before serves on;
    the same command goes on from there. -o json is for --check.
    """
    if output and not check:
        raise click.UsageError("-o json is for --check.")
    document = resolve(session.cluster, name)
    shown = view(document)
    made = plan(shown, version or shown.newest_version)
    if output:
        session.json({"from": made.current, "to": made.wanted, "steps": list(made.steps), "refusal": made.refusal})
    else:
        session.out.print(made.text, markup=False, soft_wrap=True)
    if made.refusal:
        click.get_current_context().exit(Exit.NO)
    if check:
        return
    if len(made.steps) > 1 and not waits:
        raise click.UsageError("Several steps have to wait for each other: leave --no-wait out, or go step by step.")
    for step in made.steps:
        go(session, shown.namespace, shown.name, step, waits=waits, timeout_seconds=timeout_seconds)


def go(session: Session, namespace: str, name: str, step: str, *, waits: bool, timeout_seconds: int) -> None:
    """Take one step."""
    change(session, resolve(session.cluster, name), {"version": step}, f"spec.version is {step}")
    if waits:
        probe = until_runs(session.cluster, namespace, name, step)
        wait(session.err, probe, what=f"{name} to run {step}", timeout_seconds=timeout_seconds)


def until_runs(cluster: Cluster, namespace: str, name: str, version: str) -> Callable[[], Progress]:
    def probe() -> Progress:
        shown = look(cluster, namespace, name)
        if shown.version == version and shown.is_ready:
            return Progress(is_done=True, text=f"{name} runs {version}")
        degraded = shown.condition(ConditionType.DEGRADED)
        refused = shown.is_current and degraded is not None and degraded.reason in REFUSED
        text = f"{name} waits for {shown.waits_for or 'the operator'}"
        return Progress(is_done=False, text=text, failed=degraded.message if degraded and refused else "")

    return probe
