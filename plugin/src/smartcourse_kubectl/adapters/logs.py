"""Logs of many containers: their ends merged, or followed as containers come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from smartcourse_kubectl.adapters.cluster import ApiError, Cluster, path_of
from smartcourse_kubectl.core.log_lines import order, split
from smartcourse_operator.core.objects import POD, Document

PARALLEL = 8
LOOK_AGAIN_SECONDS = 2.0


@dataclass(frozen=True, order=True)
class Source:
    """A container whose log is read. `label` is what a line of it begins with."""

    namespace: str
    pod: str
    container: str
    label: str = field(compare=False)
    is_running: bool = field(compare=False, default=True)

    @property
    def path(self) -> str:
        return path_of(POD, self.namespace, self.pod, "log")


def sources(pods: list[Document], instance: str) -> list[Source]:
    """Return the containers that have begun, each labelled by its pod without the SmartCourse's name."""
    found = []
    for pod in pods:
        metadata = pod["metadata"]
        states = {one["name"]: one.get("state") or {} for one in pod.get("status", {}).get("containerStatuses") or ()}
        for container in pod["spec"]["containers"]:
            name = container["name"]
            if not states.get(name) or "waiting" in states[name]:
                continue
            label = metadata["name"].removeprefix(f"{instance}-")
            label += f"/{name}" if len(pod["spec"]["containers"]) > 1 else ""
            found.append(Source(metadata["namespace"], metadata["name"], name, label, "running" in states[name]))
    return sorted(found)


@dataclass
class Reader:
    """Reads logs; `query` is what the API is asked for of each (tailLines, sinceSeconds)."""

    cluster: Cluster
    query: dict[str, str]

    def ends(self, wanted: list[Source]) -> list[tuple[Source, str]]:
        """Return the lines, each with its stamp, in the order of their times."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            texts = list(pool.map(self._end, wanted))
        lines = [(source, line) for source, text in zip(wanted, texts, strict=True) for line in text.splitlines()]
        return sorted(lines, key=lambda one: order(split(one[1])[0]))

    def _end(self, source: Source) -> str:
        query = {**self.query, "container": source.container, "timestamps": "true"}
        try:
            return self.cluster.text(source.path, query)
        except ApiError as error:
            if error.status in (400, 404):  # it has gone, or not begun
                return ""
            raise

    def follow(self, find: Callable[[], list[Source]]) -> Iterator[tuple[Source, str]]:
        """Yield lines as they come, of containers that `find` finds now and later. Never ends by itself."""
        queue: SimpleQueue[tuple[Source, str]] = SimpleQueue()
        last: dict[Source, str] = {}
        readers: dict[Source, threading.Thread] = {}
        while True:
            for source in self._found(find):
                reader = readers.get(source)
                if reader and (reader.is_alive() or not source.is_running):
                    continue
                readers[source] = threading.Thread(target=self._read, args=(source, queue, last), daemon=True)
                readers[source].start()
            look_again = time.monotonic() + LOOK_AGAIN_SECONDS
            while (left := look_again - time.monotonic()) > 0:
                try:
                    yield queue.get(timeout=left)
                except Empty:
                    break

    @staticmethod
    def _found(find: Callable[[], list[Source]]) -> list[Source]:
        try:
            return find()
        except ApiError as error:
            if error.status:
                raise
            return []  # the API server is away: those that are read go on

    def _read(self, source: Source, queue: SimpleQueue[tuple[Source, str]], last: dict[Source, str]) -> None:
        """Put a container's lines into the queue until its log ends, none that was put before."""
        query = {**self.query, "container": source.container, "timestamps": "true", "follow": "true"}
        if source in last:
            query.pop("tailLines", None)
            query.pop("sinceSeconds", None)
            query["sinceTime"] = last[source]
        try:
            for line in self.cluster.lines(source.path, query):
                stamp = split(line)[0]
                if source in last and order(stamp) <= order(last[source]):
                    continue
                if stamp:
                    last[source] = stamp
                queue.put((source, line))
        except ApiError:
            return  # it has gone or restarts: it is looked for again
