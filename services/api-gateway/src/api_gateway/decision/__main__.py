"""Serve decisions until told to stop: `python -m api_gateway.decision`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Final

import structlog
import uvloop

from api_gateway.config import DecisionSettings
from api_gateway.decision.forward import ForwardDoor
from api_gateway.decision.parts import build
from api_gateway.decision.server import Connection
from shared.config.settings import load
from shared.telemetry import configure_logging

_BACKLOG: Final = 2048
_LAST_ANSWERS_SECONDS: Final = 2.0
_logger = structlog.get_logger(__name__)


def main() -> int:
    """Run the process; return the exit status."""
    settings = load(DecisionSettings)
    configure_logging(settings.service_name, settings.log_level)
    try:
        uvloop.run(_serve(settings))
    except (OSError, ValueError) as error:
        _logger.critical("gateway_cannot_start", error=str(error))
        return 1
    return 0


async def _serve(settings: DecisionSettings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with contextlib.AsyncExitStack() as stack:
        application = await build(settings, stack)
        connections: set[Connection] = set()
        path = _place(settings)
        servers = [
            await loop.create_unix_server(
                lambda: Connection(application, connections), path=str(path), backlog=_BACKLOG
            )
        ]
        path.chmod(0o660)
        if settings.forward_auth_address is not None:
            door = ForwardDoor(application, settings.trusted_proxies)
            host, port = settings.forward_auth_address
            servers.append(
                await loop.create_server(lambda: Connection(door, connections), host, port, backlog=_BACKLOG)
            )
        await stopped.wait()
        for server in servers:
            server.close()
        ending = [connection.end() for connection in list(connections)]
        if asked := [answer for answer in ending if answer is not None]:
            await asyncio.wait(asked, timeout=_LAST_ANSWERS_SECONDS)
    path.unlink(missing_ok=True)


def _place(settings: DecisionSettings) -> Path:
    """Where to listen; a socket that a killed process left behind is removed."""
    settings.gateway_run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.umask(0o007)
    settings.socket_path.unlink(missing_ok=True)
    return settings.socket_path


if __name__ == "__main__":
    sys.exit(main())
