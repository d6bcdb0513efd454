"""What Traefik is told: `python -m api_gateway.data_plane.traefik` prints it for the chart, which adds the address.

Checked against Traefik 3.7: `authResponseHeaders` are taken from every request and set to what the decision answers, if
it answers them. `headers` goes first, so that no trusted proxy hands on a target of a client's own choosing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, Final

from api_gateway.data_plane.headers import (
    ASKED_WITH,
    CLIENT_ADDRESS,
    FORWARDED_METHOD,
    FORWARDED_TARGET,
    HIDDEN,
    REMOVED,
    REPLACED,
)
from api_gateway.data_plane.prefixes import checkout_table, prefixes
from api_gateway.routing import Route

ALIASES: Final = "[^0-9A-Za-z-]"
"""Names that some reader could take for another: `X_User_ID`, `X.User.ID`. None of ours has such a character."""
_LARGEST_ANSWER_BYTES: Final = 65_536


def middlewares(address: str) -> dict[str, dict[str, Any]]:
    """Return the Middlewares' specs in the order in which a request passes them. `address`: the decision's URL."""
    return {
        "clean": {
            "headers": {
                "customRequestHeaders": dict.fromkeys((FORWARDED_METHOD, FORWARDED_TARGET, CLIENT_ADDRESS), ""),
                "customResponseHeaders": {**dict.fromkeys(HIDDEN, ""), "X-Content-Type-Options": "nosniff"},
            }
        },
        "decide": {
            "forwardAuth": {
                "address": address,
                "trustForwardHeader": True,  # what the entry point lets through of it: see docs/data-plane
                "authRequestHeaders": list(ASKED_WITH),
                "authResponseHeaders": [*REPLACED, *REMOVED],
                "authResponseHeadersRegex": ALIASES,
                "maxResponseBodySize": _LARGEST_ANSWER_BYTES,
            }
        },
    }


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Return what `charts/smartcourse` renders Middlewares and an Ingress from."""
    made = [{"name": name, "spec": spec} for name, spec in middlewares("").items()]
    paths = [{"path": prefix, "service": service} for prefix, service in prefixes(routes).items()]
    return {"middlewares": made, "paths": paths}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(checkout_table().routes), indent=2) + "\n")
