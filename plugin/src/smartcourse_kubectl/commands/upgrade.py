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
from smartcourse_operator.core.status import ConditionStatus, ConditionType
from smartcourse_operator.core.upgrades import can_go_back, standing
from smartcourse_operator.core.versions import ReleaseUnknownError, RollbackRefusedError, UpgradeRefusedError, path

UPGRADE_SECONDS = 1800
REFUSED = frozenset({ReleaseUnknownError.reason, UpgradeRefusedError.reason, RollbackRefusedError.reason})


@dataclass(frozen=True)
class Plan:
    """The releases to go through; `refusal` says why there is no way."""

    current: str
    wanted: str
    steps: tuple[str, ...]
    refusal: str = ""
    is_back: bool = False
    is_served: bool = True
    """Whether the pods of `current` serve: those of an upgrade that is under way do not yet."""

    @property
    def text(self) -> str:
        if self.refusal:
            return self.refusal
        if not self.steps:
            return f"{self.current} runs already." if self.is_served else f"{self.current} is on its way already."
        way = " → ".join((self.current, *self.steps))
        if self.is_back:
            return f"{way}: a step back, which the schema still allows."
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
    current = standing(shown.version, shown.upgrade) or shown.version
    if can_go_back(shown.upgrade, wanted):
        return Plan(current, wanted, (wanted,), is_back=True)
    steps = path(shown.releases, current=current, wanted=wanted)
    if steps is not None:
        return Plan(current, wanted, tuple(steps), is_served=current == shown.version)
    known = [release.version for release in shown.releases]
    if wanted not in known:
        return Plan(current, wanted, (), f"The operator has no release {wanted}; it has {', '.join(known)}.")
    after = [one for one in known if path(shown.releases, current=current, wanted=one)]
    told = f"what can: {', '.join(after)}" if after else "none of the operator's releases can"
    return Plan(current, wanted, (), f"{wanted} cannot follow {current}, not even by others; {told}.")


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

    It sets spec.version and waits until that release serves; the operator takes the steps. Where one halts, what ran
    before serves on, and the condition Upgraded says why. The release before is gone back to in the same way.
    -o json is for --check.
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
    if made.steps:
        change(session, document, {"version": made.wanted}, f"spec.version is {made.wanted}")
    if waits and (made.steps or not made.is_served):
        probe = until_runs(session.cluster, shown.namespace, shown.name, made.wanted)
        wait(session.err, probe, what=f"{shown.name} to run {made.wanted}", timeout_seconds=timeout_seconds)


def until_runs(cluster: Cluster, namespace: str, name: str, version: str) -> Callable[[], Progress]:
    def probe() -> Progress:
        shown = look(cluster, namespace, name)
        if shown.version == version and shown.is_ready:
            return Progress(is_done=True, text=f"{name} runs {version}")
        degraded = shown.condition(ConditionType.DEGRADED)
        refused = shown.is_current and degraded is not None and degraded.reason in REFUSED
        upgraded = shown.condition(ConditionType.UPGRADED)
        waits_for = f"{name} waits for {shown.waits_for or 'the operator'}"
        text = upgraded.message if upgraded and upgraded.status is not ConditionStatus.TRUE else waits_for
        return Progress(is_done=False, text=text, failed=degraded.message if degraded and refused else "")

    return probe
