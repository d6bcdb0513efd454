"""Write nginx's configuration and run nginx: `python -m api_gateway.nginx`."""

from __future__ import annotations

import sys

from api_gateway.config import NginxSettings
from api_gateway.nginx.supervisor import Nginx, NginxFailedError
from api_gateway.routing import RouteTableError
from shared.config.settings import load
from shared.telemetry import configure_logging


def main() -> int:
    """Run the process; return the exit status."""
    settings = load(NginxSettings)
    configure_logging("api-gateway")
    try:
        return Nginx(settings).run()
    except (OSError, RouteTableError, NginxFailedError, ValueError) as error:
        print(f"api_gateway.nginx: {error}", file=sys.stderr)  # noqa: T201 - nothing else is running that could log it
        return 1


if __name__ == "__main__":
    sys.exit(main())
