"""The tokens' key is replaced while requests go on: a rollout of the gateway for each step, behind Traefik's ingress.

A process reads its keys when it starts, so a step replaces the pod, as in a cluster: another one is started and becomes
ready, Traefik hears of it, and the old one drains when Traefik has left it.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.testing.processes import free_port
from tests.load.doors import PATH, Street, answers, point_traefik, start_pod, tokens, wait_served

LEAVING_SECONDS = 5.0
"""Between a pod's end being announced and its beginning: what the chart's `preStop` waits."""


class Rotation(threading.Thread):
    """Introduces another key beside the present one, then makes it the current one."""

    def __init__(self, built: Street) -> None:
        super().__init__()
        self._built, self._mark, self._port = built, "", built.gateway
        self._other = secrets.token_hex(32)
        self._error: Exception | None = None

    def run(self) -> None:
        old, new = self._built.secret, self._other
        try:
            for step, keys in enumerate([(old, new), (new, old)], 1):
                self._replace(f"-{step}", keys)
        except Exception as error:  # noqa: BLE001 - told by `check`
            self._error = error

    def _replace(self, mark: str, keys: tuple[str, str]) -> None:
        built, port = self._built, free_port()
        start_pod(built, mark, port=port, decisions=free_port(), keys=keys)
        for key in keys:
            wait_served(f"the gateway{mark}", f"http://127.0.0.1:{port}{PATH}", tokens(key, users=1)[0])
        point_traefik(built, port)
        time.sleep(LEAVING_SECONDS)
        for part in ("nginx", "decision"):
            built.processes.pop(part + self._mark).stop()
        self._mark, self._port = mark, port

    def check(self, ingress: str) -> None:
        """Check that it went well, and that tokens of both keys are good at the ingress by now.

        Raises:
            AssertionError: a token is refused.
        """
        if self._error is not None:
            raise self._error
        for key in (self._built.secret, self._other):
            if not answers(ingress, status=200, token=tokens(key, users=1)[0]):
                raise AssertionError("after the rotation a token of one of both keys is refused")


@contextmanager
def rotation(built: Street, ingress: str) -> Iterator[Callable[[], bool]]:
    """Rotate the key once, and yield what tells whether that goes on. Afterwards another gateway is in ours' place."""
    rotating = Rotation(built)
    rotating.start()
    try:
        yield rotating.is_alive
    finally:
        rotating.join()
    rotating.check(ingress)
