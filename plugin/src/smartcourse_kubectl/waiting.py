"""Waiting for something, with what it is at and for how long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape

from smartcourse_kubectl.adapters.cluster import ApiError
from smartcourse_kubectl.core.ages import span
from smartcourse_kubectl.errors import Exit, PluginError

EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class Progress:
    """How far a thing is, in words; `failed` ends the waiting at once."""

    is_done: bool
    text: str
    failed: str = ""


@contextmanager
def teller(console: Console) -> Iterator[Callable[[str, float], None]]:
    """Give what is called with text and elapsed seconds: a live line on a terminal, elsewhere a line per change."""
    if console.is_terminal:
        with console.status("") as status:
            yield lambda text, seconds: status.update(f"{escape(text)}  [dim]{span(seconds)}[/dim]")
        return
    told = ""

    def tell(text: str, seconds: float) -> None:
        nonlocal told
        if text != told:
            console.print(f"{span(seconds):>6}  {text}", markup=False, soft_wrap=True)
            told = text

    yield tell


@contextmanager
def teller_since(console: Console) -> Iterator[Callable[[str], None]]:
    """Give what is called with what is done now; the elapsed time is told beside it."""
    started = time.monotonic()
    with teller(console) as tell:
        yield lambda text: tell(text, time.monotonic() - started)


def wait(console: Console, probe: Callable[[], Progress], *, what: str, timeout_seconds: float) -> None:
    """Wait until `probe` says that it is done. While the API server is away it is asked on.

    Raises:
        PluginError: the time is over, or the probe says that it has failed.
    """
    started = time.monotonic()
    latest = ask(probe, Progress(is_done=False, text=what))
    with teller(console) as tell:
        while not latest.is_done:
            elapsed = time.monotonic() - started
            if latest.failed:
                raise PluginError(latest.failed, code=Exit.NO)
            if elapsed > timeout_seconds:
                raise PluginError(
                    f"Waited {span(elapsed)} for {what}; at last: {latest.text}",
                    remedy="It goes on without this command. `kubectl smartcourse status --watch` follows it.",
                    code=Exit.NO,
                )
            tell(latest.text, elapsed)
            time.sleep(EVERY_SECONDS)
            latest = ask(probe, latest)
    console.print(f"{latest.text}  ({span(time.monotonic() - started)})", markup=False, soft_wrap=True)


def ask(probe: Callable[[], Progress], latest: Progress) -> Progress:
    try:
        return probe()
    except ApiError as error:
        if error.status not in (0, 429, 500, 502, 503, 504):
            raise
        return Progress(is_done=False, text=latest.text.partition(" (")[0] + " (the API server is away)")
