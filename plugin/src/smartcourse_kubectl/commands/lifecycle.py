"""`pause` and `resume`, `hibernate` and `wake`, `restart`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import click

from smartcourse_kubectl.adapters.cluster import Cluster
from smartcourse_kubectl.adapters.observer import look, resolve
from smartcourse_kubectl.commands.arguments import (
    component_argument,
    name_argument,
    name_option,
    naming_components,
    timeout_option,
    wait_option,
)
from smartcourse_kubectl.core.view import View
from smartcourse_kubectl.errors import Exit, PluginError
from smartcourse_kubectl.session import Session, with_session
from smartcourse_kubectl.waiting import Progress, wait
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import DEPLOYMENT, SMART_COURSE, STATEFUL_SET, Document
from smartcourse_operator.core.readiness import Progress as State
from smartcourse_operator.core.readiness import state_of
from smartcourse_operator.core.status import ConditionType

TAKEN_UP_SECONDS = 60
READY_SECONDS = 600
RESTARTED = "kubectl.kubernetes.io/restartedAt"


def change(session: Session, document: Document, spec: Document, told: str) -> tuple[str, str]:
    """Change a SmartCourse's spec, tell so, and return its namespace and name."""
    metadata = document["metadata"]
    namespace, name = metadata["namespace"], metadata["name"]
    after = session.cluster.merge(SMART_COURSE, namespace, name, {"spec": spec})
    is_changed = after["metadata"]["generation"] != metadata["generation"]
    session.err.print(f"{name}: {told}" + ("" if is_changed else " (it was so already)"), markup=False, soft_wrap=True)
    return namespace, name


def kept(cluster: Cluster, name: str | None) -> Document:
    """Return the SmartCourse, which the operator is to keep.

    Raises:
        PluginError: it is paused, so that nothing would come of what is asked for.
    """
    document = resolve(cluster, name)
    if (document.get("spec") or {}).get("paused"):
        name = document["metadata"]["name"]
        raise PluginError(f"{name} is paused: the operator changes nothing of it.",
                          remedy=f"`kubectl smartcourse resume {name}` has it kept again.", code=Exit.NO)  # fmt: skip
    return document


def until(
    cluster: Cluster, namespace: str, name: str, *, done: Callable[[View], bool], text: str
) -> Callable[[], Progress]:
    """Return a probe that looks at the SmartCourse until `done`."""

    def probe() -> Progress:
        shown = look(cluster, namespace, name)
        if done(shown):
            return Progress(is_done=True, text=text)
        return Progress(is_done=False, text=f"{name} waits for {shown.waits_for or 'the operator'}")

    return probe


def until_ready(cluster: Cluster, namespace: str, name: str) -> Callable[[], Progress]:
    return until(cluster, namespace, name, done=lambda shown: shown.is_ready, text=f"{name} is Ready")


def is_true(shown: View, kind: str) -> bool:
    condition = shown.condition(kind)
    return condition is not None and condition.status == "True"


@click.command(short_help="Have the operator leave it alone.")
@name_argument
@wait_option
@timeout_option(TAKEN_UP_SECONDS)
@with_session
def pause(session: Session, name: str | None, *, waits: bool, timeout_seconds: int) -> None:
    """Have the operator leave a SmartCourse alone: it serves on, and nothing of it is repaired or changed."""
    namespace, name = change(session, resolve(session.cluster, name), {"paused": True}, "spec.paused is true")
    if waits:
        probe = until(session.cluster, namespace, name, text=f"{name} is paused",
                      done=lambda shown: shown.is_current and is_true(shown, ConditionType.PAUSED))  # fmt: skip
        wait(session.err, probe, what=f"the operator to pause {name}", timeout_seconds=timeout_seconds)


@click.command(short_help="Have the operator keep it again.")
@name_argument
@wait_option
@timeout_option(READY_SECONDS)
@with_session
def resume(session: Session, name: str | None, *, waits: bool, timeout_seconds: int) -> None:
    """Have the operator keep a SmartCourse again, and wait until it is Ready."""
    namespace, name = change(session, resolve(session.cluster, name), {"paused": False}, "spec.paused is false")
    if waits:
        probe = until(session.cluster, namespace, name, text=f"{name} is Ready",
                      done=lambda shown: shown.is_ready and not is_true(shown, ConditionType.PAUSED))  # fmt: skip
        wait(session.err, probe, what=f"{name} to be Ready", timeout_seconds=timeout_seconds)


@click.command(short_help="Stop all that runs, and keep the data.")
@name_argument
@wait_option
@timeout_option(READY_SECONDS)
@with_session
def hibernate(session: Session, name: str | None, *, waits: bool, timeout_seconds: int) -> None:
    """Stop all that runs of a SmartCourse, databases included. Volumes, Secrets and the route are kept for `wake`."""
    document = kept(session.cluster, name)
    namespace, name = change(session, document, {"hibernated": True}, "spec.hibernated is true")
    if waits:
        probe = until(session.cluster, namespace, name, done=lambda shown: shown.is_hibernated,
                      text=f"{name} is hibernated; `kubectl smartcourse wake {name}` wakes it")  # fmt: skip
        wait(session.err, probe, what=f"{name} to be hibernated", timeout_seconds=timeout_seconds)


@click.command(short_help="Start what hibernates again.")
@name_argument
@wait_option
@timeout_option(READY_SECONDS)
@with_session
def wake(session: Session, name: str | None, *, waits: bool, timeout_seconds: int) -> None:
    """Start a SmartCourse that hibernates again, and wait until it is Ready."""
    document = kept(session.cluster, name)
    namespace, name = change(session, document, {"hibernated": False}, "spec.hibernated is false")
    if waits:
        probe = until_ready(session.cluster, namespace, name)
        wait(session.err, probe, what=f"{name} to be Ready", timeout_seconds=timeout_seconds)


@naming_components
@click.command(short_help="Replace a component's pods.")
@component_argument
@name_option
@wait_option
@timeout_option(READY_SECONDS)
@with_session
def restart(session: Session, component: str, name: str | None, *, waits: bool, timeout_seconds: int) -> None:
    """Replace a component's pods, as `kubectl rollout restart` does.

    COMPONENT is one of {components}.
    Services and the gateway are replaced one by one and serve on; a database is away until its pod is back.
    """
    metadata = resolve(session.cluster, name)["metadata"]
    namespace, workload = metadata["namespace"], f"{metadata['name']}-{component}"
    kind = STATEFUL_SET if component in names.DATASTORES else DEPLOYMENT
    if session.cluster.find(kind, namespace, workload) is None:
        raise PluginError(
            f"There is no {kind.kind} {workload} in namespace {namespace}.",
            remedy="A database that is run elsewhere is restarted there; `kubectl smartcourse status` lists the pods.",
        )
    stamp = {"metadata": {"annotations": {RESTARTED: datetime.now(UTC).isoformat(timespec="seconds")}}}
    session.cluster.merge(kind, namespace, workload, {"spec": {"template": stamp}})
    session.err.print(f"{kind.kind} {workload} restarts")
    if waits:
        probe = until_rolled_out(session.cluster, namespace, workload, component)
        wait(session.err, probe, what=f"{workload} to be replaced", timeout_seconds=timeout_seconds)


def until_rolled_out(cluster: Cluster, namespace: str, workload: str, component: str) -> Callable[[], Progress]:
    kind = STATEFUL_SET if component in names.DATASTORES else DEPLOYMENT

    def probe() -> Progress:
        found = cluster.find(kind, namespace, workload)
        if found is None:
            raise PluginError(f"{kind.kind} {workload} in namespace {namespace} has been deleted.", code=Exit.NO)
        state = state_of(found)
        is_done = state.progress is State.DONE
        return Progress(is_done=is_done, text=f"{workload} is replaced" if is_done else state.message)

    return probe
