"""`rotate`: a generated secret replaced, without an interruption."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import click

from smartcourse_kubectl.adapters.cluster import Cluster
from smartcourse_kubectl.adapters.observer import look
from smartcourse_kubectl.commands.arguments import name_option, timeout_option, wait_option
from smartcourse_kubectl.commands.lifecycle import kept
from smartcourse_kubectl.core.view import View, view
from smartcourse_kubectl.errors import Exit, PluginError
from smartcourse_kubectl.session import Session, with_session
from smartcourse_kubectl.waiting import Progress, wait
from smartcourse_operator.core.objects import SMART_COURSE
from smartcourse_operator.core.rotation import ANNOTATION_REQUEST
from smartcourse_operator.core.status import Rotated, RotationPhase

ROTATED_SECONDS = 1800
DONE = (RotationPhase.RETAINED, RotationPhase.COMPLETED)
AT_REST = (RotationPhase.REFUSED, RotationPhase.COMPLETED)


@click.command(short_help="Replace a generated secret, without an interruption.")
@click.argument("what", type=click.Choice([what.value for what in Rotated]), metavar="WHAT")
@name_option
@wait_option
@timeout_option(ROTATED_SECONDS)
@with_session
def rotate(session: Session, what: str, name: str | None, *, waits: bool, timeout_seconds: int) -> None:
    """Replace a secret that the operator generated, step by step: old and new are good side by side meanwhile.

    WHAT is jwt (the key of tokens), identity (the gateway's key), database, mongodb or redis (the services' logins).
    Each step replaces the services' pods. A key of tokens is taken into use and the old one kept until its tokens have
    expired: the waiting ends before that.
    """
    shown = view(kept(session.cluster, name))
    refuse(shown, what)
    request = datetime.now(UTC).isoformat(timespec="seconds")
    patch = {"metadata": {"annotations": {ANNOTATION_REQUEST[Rotated(what)]: request}}}
    session.cluster.merge(SMART_COURSE, shown.namespace, shown.name, patch)
    session.err.print(f"{shown.name}: a rotation of {what} is asked for", markup=False, soft_wrap=True)
    if waits:
        probe = until_rotated(session.cluster, shown, what, request)
        wait(session.err, probe, what=f"{what} of {shown.name} to be rotated", timeout_seconds=timeout_seconds)


def refuse(shown: View, what: str) -> None:
    """See that a rotation can begin soon.

    Raises:
        PluginError: it could not.
    """
    if shown.spec.get("hibernated"):
        raise PluginError(f"{shown.name} is hibernated: nothing is rotated until it is Ready again.",
                          remedy=f"`kubectl smartcourse wake {shown.name}` wakes it.", code=Exit.NO)  # fmt: skip
    last = shown.rotation(what)
    if last and last.phase not in AT_REST:
        raise PluginError(f"The last rotation of {what} is not over, it is {last.phase}: {last.message}.",
                          remedy="Another one can begin when it is completed; `kubectl smartcourse status` shows it.",
                          code=Exit.NO)  # fmt: skip


def until_rotated(cluster: Cluster, asked: View, what: str, request: str) -> Callable[[], Progress]:
    def probe() -> Progress:
        found = look(cluster, asked.namespace, asked.name).rotation(what)
        if found is None or found.request != request:
            return Progress(is_done=False, text=f"{what} waits for the operator to take it up")
        text = f"{what}: {found.phase}: {found.message}"
        return Progress(found.phase in DONE, text, failed=text if found.phase == RotationPhase.REFUSED else "")

    return probe
