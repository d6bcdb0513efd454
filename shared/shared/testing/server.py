"""What servers for tests have in common: a port on loopback, a folder of their own, a beginning and an end."""

import shutil
import signal
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from shared.testing.processes import Process, free_port


class Server(ABC):
    """A server that runs from when it is made until ``close``, with ends and beginnings in between."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    close_signal: ClassVar[signal.Signals | None] = None
    """Ends it for good, where its data needs no orderly end."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix=f"smartcourse-{self.name}-"))
        self._process: Process | None = None
        try:
            self._set_up()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start it, on the same port as before."""
        self._run(self._command())

    def stop(self) -> None:
        self._end(None)

    def kill(self) -> None:
        """Stop it without warning."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it for good and remove its data."""
        self._end(self.close_signal)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _set_up(self) -> None:
        """Bring it from nothing to running."""
        self.start()

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _answers(self) -> bool: ...

    def _run(self, command: Sequence[str]) -> None:
        self._process = Process(command, log=self._folder / "log", stop_signal=self.stop_signal)
        self._process.wait_until(self._answers)

    def _end(self, with_signal: signal.Signals | None) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.stop(with_signal)
