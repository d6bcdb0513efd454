"""nginx's parent: writes its configuration, runs it, and has it read the file again when a service moves or another
certificate comes."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from api_gateway.config import NginxSettings
from api_gateway.nginx.addresses import resolve
from api_gateway.nginx.certificate import CertificateError, Certificates
from api_gateway.nginx.configuration import included, render, write
from api_gateway.openapi import with_rates
from api_gateway.rates import Policies
from api_gateway.routing import CompiledTable

_STOP: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_KILL_AFTER_SECONDS: Final = 3.0
_SYSTEM_PROGRAMS: Final = "/usr/sbin"
"""Where Debian installs nginx; not on an ordinary user's PATH."""
_logger = logging.getLogger(__name__)


class NginxFailedError(Exception):
    """nginx refuses its configuration; the message is nginx's own."""


class Nginx:
    """One nginx, and the addresses and the certificate it was last given."""

    def __init__(self, settings: NginxSettings) -> None:
        """Prepare; nothing is written or started yet.

        Raises:
            OSError, RouteTableError, ValueError: the compiled routes, or their description, can't be read.
        """
        self._settings = settings
        merged = json.loads((settings.gateway_routes_dir / "openapi.json").read_text(encoding="utf-8"))
        self._description = json.dumps(with_rates(merged, Policies.of(settings)), separators=(",", ":"))
        self._table = CompiledTable.load(settings.gateway_routes_dir / "routes.json")
        self._addresses: dict[str, list[str]] = {}
        source = settings.gateway_tls_dir
        self._certificates = None if source is None else Certificates(source, settings.tls_kept_dir)
        self._certificate: Path | None = None

    def run(self) -> int:
        """Run nginx until it ends or this process is told to stop; return the exit status.

        Must be called in a process's main thread: it waits for signals.

        Raises:
            NginxFailedError: it refuses its configuration.
            CertificateError: there is no certificate to begin with.
        """
        run_dir = self._settings.gateway_run_dir
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, text in included(self._settings, self._table).items():
            write(text, run_dir / name)
        write(self._description, run_dir / "openapi.json")
        self.update()
        self._check("nginx.conf")
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
        """Write the configuration if a service has moved or there is another certificate; return whether it is so."""
        has_news = self._follow_services() | self._follow_certificate()
        if has_news:
            self._write("nginx.conf", self._certificate)
        return has_news

    def _follow_services(self) -> bool:
        addresses = resolve(self._settings.services, self._addresses)
        if addresses == self._addresses:
            return False
        for name in sorted(name for name, places in addresses.items() if not places):
            _logger.warning("the service %s has no address yet", name)
        self._addresses = addresses
        return True

    def _follow_certificate(self) -> bool:
        """Take a new certificate over if nginx can serve with it; the first one is checked with everything else."""
        if self._certificates is None:
            return False
        try:
            copy = self._certificates.find_new()
            if copy is None:
                return False
            if self._certificate is not None:
                self._try(copy, self._certificates)
        except CertificateError as error:
            if self._certificate is None:
                raise
            _logger.error("%s; the one before goes on serving", error)  # noqa: TRY400 - the message says it all
            return False
        self._certificate = copy
        self._certificates.accept(copy)
        return True

    def _try(self, copy: Path, certificates: Certificates) -> None:
        self._write("checked.conf", copy)
        try:
            self._check("checked.conf")
        except NginxFailedError as error:
            raise certificates.refusal(str(error)) from error

    def _write(self, name: str, certificate: Path | None) -> None:
        text = render(self._settings, self._table, addresses=self._addresses, certificate=certificate)
        write(text, self._settings.gateway_run_dir / name)

    def _check(self, name: str) -> None:
        command = [*self._command(name), "-t", "-q"]
        checked = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        if checked.returncode:
            raise NginxFailedError(checked.stderr.strip())

    def _command(self, name: str = "nginx.conf") -> list[str]:
        run_dir = str(self._settings.gateway_run_dir)
        searched = os.environ.get("PATH", os.defpath) + os.pathsep + _SYSTEM_PROGRAMS
        program = shutil.which(self._settings.nginx_path, path=searched)
        if program is None:
            raise NginxFailedError(f"{self._settings.nginx_path} is not installed: apt-get install nginx-light")
        return [program, "-p", run_dir, "-c", f"{run_dir}/{name}", "-e", "stderr"]

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
