"""Kopf's part: watching. Every handler only enqueues; Kopf itself writes nothing.

Low-level event handlers are used on purpose: they see creations, changes and the objects that are there at the start
alike, and unlike Kopf's change handlers and timers they leave no annotations or finalizers in the objects.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, cast

import kopf

from smartcourse_operator.adapters.cluster import Cluster
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import EXTENSIONS, MANAGED, Kind
from smartcourse_operator.queue import Key, Queues, WorkQueue

Notice = Callable[[Key], object]
STOP_SECONDS = 5


async def watched(cluster: Cluster) -> list[Kind]:
    """Return the kinds to watch: a kind that is not there can't be.

    What the cluster is taught later is repaired by the timer until the operator starts again; where it forgets a kind,
    watching ends, and the operator with it, to be started again.
    """
    return [kind for kind in MANAGED if kind not in EXTENSIONS or await cluster.serves(kind)]


@dataclass(frozen=True)
class Notices:
    """What is called with the key of what something happened to, by its kind."""

    course: Notice
    backup: Notice
    restore: Notice


def registry(notices: Notices, kinds: Collection[Kind]) -> kopf.OperatorRegistry:
    """Return handlers that say what something happened to."""
    handlers = kopf.OperatorRegistry()

    def noticing(notice: Notice) -> Callable[..., Any]:
        async def notice_resource(namespace: str | None, name: str | None, spec: kopf.Spec, **_: Any) -> None:
            if namespace and name:
                notice((namespace, name))
            if namespace and (course := spec.get("smartCourse")):  # it tells of its backups
                notices.course((namespace, course))

        return notice_resource

    async def notice_child(namespace: str | None, labels: kopf.Labels, **_: Any) -> None:
        owner = labels.get(names.LABEL_INSTANCE)
        if namespace and owner:
            notices.course((namespace, owner))

    by_plural = dict(zip(names.PLURALS, (notices.course, notices.backup, notices.restore), strict=True))
    for plural, notice in by_plural.items():
        kopf.on.event(names.GROUP, names.VERSION, plural, registry=handlers, id=plural)(noticing(notice))
    for kind in kinds:
        version = kind.api_version.rpartition("/")[2]
        kopf.on.event(kind.group, version, kind.plural, registry=handlers, id=kind.plural)(notice_child)
    kopf.on.login(registry=handlers)(login)
    return handlers


async def watch(queues: Queues, *, kinds: Collection[Kind], namespaces: tuple[str, ...], identity: str) -> None:
    """Feed the queues for ever.

    Kopf has a thread and an event loop of its own: when it ends, it cancels every task of its loop, and it takes the
    process's signals when it is in the main thread.

    Raises:
        Exception: whatever ended Kopf.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    stop = threading.Event()

    def into(queue: WorkQueue) -> Notice:
        return lambda key: loop.call_soon_threadsafe(queue.notice, key)

    notices = Notices(into(queues.courses), into(queues.backups), into(queues.restores))

    def finish(error: BaseException | None) -> None:
        if ended.done():
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def body() -> None:
        error: BaseException | None = None
        try:
            kopf.run(
                registry=registry(notices, kinds),
                settings=watching(kinds),
                identity=cast("Any", identity),  # else Kopf asks for the user's name, which a bare uid does not have
                standalone=True,
                clusterwide=not namespaces,
                namespaces=namespaces,
                stop_flag=stop,
            )
        except BaseException as caught:  # noqa: BLE001 - handed over to the event loop that waits for it
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(finish, error)

    threading.Thread(target=body, name="kopf", daemon=True).start()
    try:
        await asyncio.shield(ended)
    finally:
        stop.set()
        await asyncio.wait([ended], timeout=STOP_SECONDS)


def login(**arguments: Any) -> kopf.ConnectionInfo | None:
    """Use the pod's service account, or a kubeconfig outside a cluster."""
    return kopf.login_with_service_account(**arguments) or kopf.login_with_kubeconfig(**arguments)


def watching(kinds: Collection[Kind]) -> kopf.OperatorSettings:
    """Return Kopf's settings: children are selected by label on the server's side, nothing is posted."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.peering.standalone = True
    chosen.scanning.disabled = True  # no permission to list CRDs and namespaces is needed
    chosen.queueing.idle_timeout = 5.0
    chosen.networking.request_timeout = 30.0
    for kind in kinds:
        version = kind.api_version.rpartition("/")[2]
        chosen.watching.label_selectors[kind.group, version, kind.plural] = (
            f"{names.LABEL_PHASE},{names.LABEL_INSTANCE}"
        )
    return chosen
