"""nginx's parent: writes its configuration, runs it, and has it read the file again when a service moves."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
from typing import Final

from api_gateway.config import NginxSettings
from api_gateway.nginx.addresses import resolve
from api_gateway.nginx.configuration import render, write
from api_gateway.routing import CompiledTable

_STOP: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_KILL_AFTER_SECONDS: Final = 3.0
_SYSTEM_PROGRAMS: Final = "/usr/sbin"
"""Where Debian installs nginx; not on an ordinary user's PATH."""
_logger = logging.getLogger(__name__)


class NginxFailedError(Exception):
    """nginx refuses its configuration; the message is nginx's own."""


class Nginx:
    """One nginx and the addresses it was last given."""

    def __init__(self, settings: NginxSettings) -> None:
        """Prepare; nothing is written or started yet.

        Raises:
            OSError, RouteTableError: the compiled routes can't be read.
        """
        self._settings = settings
        self._table = CompiledTable.load(settings.gateway_routes_dir / "routes.json")
        self._addresses: dict[str, list[str]] = {}

    def run(self) -> int:
        """Run nginx until it ends or this process is told to stop; return the exit status.

        Must be called in a process's main thread: it waits for signals.

        Raises:
            NginxFailedError: it refuses its configuration.
        """
        self._settings.gateway_run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.update()
        self._check()
        signal.pthread_sigmask(signal.SIG_BLOCK, (*_STOP, signal.SIGCHLD))
        process = subprocess.Popen(self._command(), preexec_fn=_unblock_signals)  # noqa: S603, PLW1509 - ours; one thread
        while process.poll() is None:
            told = signal.sigtimedwait((*_STOP, signal.SIGCHLD), self._settings.gateway_resolve_seconds)
            if told is not None and told.si_signo in _STOP:
                self._drain(process)
                return 0
            if told is None and self.update():
                process.send_signal(signal.SIGHUP)
        return process.returncode or 1

    def update(self) -> bool:
        """Look the services up and write the configuration if one has moved; return whether one has."""
        addresses = resolve(self._settings.services, self._addresses)
        if addresses == self._addresses:
            return False
        for name in sorted(name for name, places in addresses.items() if not places):
            _logger.warning("the service %s has no address yet", name)
        self._addresses = addresses
        text = render(self._settings, self._table, addresses=addresses)
        write(text, self._settings.gateway_run_dir)
        return True

    def _check(self) -> None:
        checked = subprocess.run([*self._command(), "-t", "-q"], capture_output=True, text=True, check=False)  # noqa: S603 - ours
        if checked.returncode:
            raise NginxFailedError(checked.stderr.strip())

    def _command(self) -> list[str]:
        run_dir = str(self._settings.gateway_run_dir)
        searched = os.environ.get("PATH", os.defpath) + os.pathsep + _SYSTEM_PROGRAMS
        program = shutil.which(self._settings.nginx_path, path=searched)
        if program is None:
            raise NginxFailedError(f"{self._settings.nginx_path} is not installed: apt-get install nginx-light")
        return [program, "-p", run_dir, "-c", f"{run_dir}/nginx.conf", "-e", "stderr"]

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        """Let requests in flight finish, then end."""
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(self._settings.gateway_drain_seconds + _KILL_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
