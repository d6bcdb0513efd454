"""Serve decisions on a unix socket until told to stop: `python -m api_gateway.decision`."""

from __future__ import annotations

import json
import os
import sys

from granian import Granian
from granian.constants import Interfaces, Loops
from granian.log import LogLevels

from api_gateway.config import DecisionSettings
from shared import server_log
from shared.config.settings import load


def main() -> int:
    """Run the process; return the exit status."""
    settings = load(DecisionSettings)  # complain before a worker is started
    socket = settings.socket_path
    settings.gateway_run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("SERVICE_NAME", settings.service_name)  # for the server's own log
    os.umask(0o007)
    socket.unlink(missing_ok=True)  # of a process that was killed
    Granian(
        "api_gateway.decision.main:create_app",
        factory=True,
        interface=Interfaces.RSGI,
        uds=socket,
        uds_permissions=0o660,
        workers=1,  # a pod more is a process more: each keeps its own memory of tokens and permits
        loop=Loops.uvloop,
        websockets=False,
        backpressure=2048,
        log_level=LogLevels.warning,
        log_dictconfig=json.loads(server_log.CONFIGURATION.read_text(encoding="utf-8")),
        workers_kill_timeout=10,
    ).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
