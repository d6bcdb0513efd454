"""Showing a run: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from smartcourse_dev.steps import Progress, State

MARKS = {State.DONE: ("✓", "green"), State.PRESENT: ("·", "dim"), State.FAILED: ("✗", "bold red")}
VERBS = {State.RUNNING: "start", State.DONE: "done ", State.PRESENT: "have ", State.FAILED: "FAILED"}


@dataclass
class PlainReporter:
    """One line for each change, with the time since the start."""

    console: Console
    started: float = field(default_factory=time.monotonic)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def changed(self, progress: Progress) -> None:
        took = f" ({progress.elapsed_seconds:.1f} s)" if progress.state in {State.DONE, State.FAILED} else ""
        with self.lock:
            since = time.monotonic() - self.started
            self.console.print(
                f"{since:7.1f} s  {VERBS[progress.state]}  {progress.step.name}{took}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )

    def told(self, progress: Progress, text: str) -> None:
        with self.lock:
            since = time.monotonic() - self.started
            self.console.print(
                f"{since:7.1f} s         {progress.step.name}: {text}", highlight=False, markup=False, soft_wrap=True
            )


@dataclass
class LiveReporter:
    """The running steps with their last line of output, above them what is finished."""

    console: Console
    started: float = field(default_factory=time.monotonic)
    shown: dict[str, Progress] = field(default_factory=dict)
    spinner: Spinner = field(default_factory=lambda: Spinner("dots"))

    def changed(self, progress: Progress) -> None:
        if progress.state is State.RUNNING:
            self.shown[progress.step.name] = progress
            return
        self.shown.pop(progress.step.name, None)
        mark, style = MARKS[progress.state]
        took = "" if progress.state is State.PRESENT else f" {progress.elapsed_seconds:.1f} s"
        self.console.print(Text(f"{mark} {progress.step.name}{took}", style=style))

    def told(self, progress: Progress, text: str) -> None:
        """Nothing to do: the log's last line is shown beside the step anyway."""

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for progress in list(self.shown.values()):
            line = Text(progress.log.line, style="dim", no_wrap=True, overflow="ellipsis")
            table.add_row(self.spinner, progress.step.name, f"{progress.elapsed_seconds:.0f} s", line)
        table.add_row("", Text(f"{time.monotonic() - self.started:.0f} s in all", style="dim"))
        return table


@contextmanager
def reporter(console: Console) -> Iterator[PlainReporter | LiveReporter]:
    """Give the reporter that suits the console, for the length of a run."""
    if not console.is_terminal:
        yield PlainReporter(console)
        return
    live = LiveReporter(console)
    with Live(live, console=console, refresh_per_second=8, transient=True):
        yield live
