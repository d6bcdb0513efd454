"""Run the whole gateway without containers: `python -m api_gateway.main`.

Compiles the routes from the checkout's `services/*/openapi.json` unless GATEWAY_ROUTES_DIR names compiled ones, then
starts the decision process and nginx. When either ends, or on SIGTERM or SIGINT, both end.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from api_gateway.compile import compile_files
from api_gateway.config import DecisionSettings, NginxSettings
from api_gateway.routing import RouteTableError
from shared.config.settings import load

_MODULES: Final = ("api_gateway.decision", "api_gateway.nginx")
_STOP: Final = (signal.SIGTERM, signal.SIGINT)
_SERVICES: Final = Path(__file__).resolve().parents[3]


def main() -> int:
    """Run both processes; return the exit status."""
    nginx = load(NginxSettings)
    load(DecisionSettings)  # both complain before either starts
    if not (nginx.gateway_routes_dir / "routes.json").exists():
        out = nginx.gateway_run_dir / "routes"
        try:
            compile_files([str(path) for path in sorted(_SERVICES.glob("*-service/openapi.json"))], out)
        except (OSError, RouteTableError) as error:
            print(f"api_gateway.main: {error}", file=sys.stderr)  # noqa: T201 - nothing runs yet that could log it
            return 1
        os.environ["GATEWAY_ROUTES_DIR"] = str(out)
    signal.pthread_sigmask(signal.SIG_BLOCK, (*_STOP, signal.SIGCHLD))
    processes = [
        subprocess.Popen([sys.executable, "-m", module], preexec_fn=_unblock_signals)  # noqa: S603, PLW1509 - ours; one thread
        for module in _MODULES
    ]
    status = 0
    while all(process.poll() is None for process in processes):
        if signal.sigwait((*_STOP, signal.SIGCHLD)) in _STOP:
            break
    else:
        status = 1
    for process in reversed(processes):  # nginx first: its last requests still need decisions
        process.terminate()
        process.wait()
    return status


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


if __name__ == "__main__":
    sys.exit(main())
