"""An Envoy that asks the decision: `python -m api_gateway.data_plane.envoy` prints the example in `docs/data-plane`.

Checked against Envoy 1.40. What only this example knows, and a mesh or Gateway API implementation must be told in its
own words: nothing passes without an answer (`failure_mode_allow`), headers with underscores and escaped slashes are
refused, and the target is handed over as it goes to the service (`X-Forwarded-Uri`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final

from api_gateway.data_plane.headers import (
    ASKED_WITH,
    CLIENT_ADDRESS,
    FORWARDED_METHOD,
    FORWARDED_TARGET,
    HIDDEN,
    REPLACED,
)
from api_gateway.data_plane.prefixes import checkout_table, prefixes
from api_gateway.decision.forward import PATH
from api_gateway.routing import Route, RouteTable

Place = tuple[str, int]
"""Host and port."""

_PORTS: Final = {"user": 8001, "course": 8002, "notification": 8005}
GATEWAY: Final = "gateway"
DECISION: Final = "decision"
_TYPE: Final = "type.googleapis.com/envoy.extensions."
_ANY_ODD: Final = ".*[^0-9a-z:-].*"
"""Names that some reader could take for another: `x.user.id`. None of ours has such a character."""
_TIMEOUT: Final = "30s"


def configuration(
    listen: Place, clusters: Mapping[str, Place], routes: Iterable[Route], *, proxies: int = 0
) -> dict[str, Any]:
    """Return the bootstrap configuration.

    `clusters`: each service by name, `decision`, and `gateway` (nginx). `proxies`: how many trusted ones every request
    has passed before; the client is whom the first of them names.
    """
    manager = {
        "@type": f"{_TYPE}filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ingress",
        "use_remote_address": True,  # and so what clients say about addresses is not believed
        "xff_num_trusted_hops": proxies,
        "preserve_external_request_id": True,
        "request_headers_timeout": "10s",  # as nginx has it; Envoy by itself waits for ever
        "normalize_path": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": _routes(prefixes(routes))}],
            "response_headers_to_remove": [name.lower() for name in HIDDEN],
            "response_headers_to_add": [_set("x-content-type-options", "nosniff")],
        },
        "http_filters": [
            {"name": "header_mutation", "typed_config": _clean()},
            {"name": "ext_authz", "typed_config": _ask(clusters[DECISION])},
            {"name": "router", "typed_config": {"@type": f"{_TYPE}filters.http.router.v3.Router"}},
        ],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    listener = {"name": "ingress", "address": _address(listen), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [_cluster(*each) for each in clusters.items()]}}


def _clean() -> dict[str, Any]:
    """Before the decision is asked: what it is told of the request is Envoy's word, whatever the client sent."""
    mutations: list[dict[str, Any]] = [
        {"append": _set(FORWARDED_METHOD.lower(), "%REQ(:METHOD)%")},
        {"append": _set(FORWARDED_TARGET.lower(), "%REQ(:PATH)%")},
        {"remove_on_match": {"key_matcher": _regex(_ANY_ODD)}},
    ]
    kind = f"{_TYPE}filters.http.header_mutation.v3.HeaderMutation"
    return {"@type": kind, "mutations": {"request_mutations": mutations}}


def _ask(decision: Place) -> dict[str, Any]:
    host, port = decision
    asked_with = [*ASKED_WITH, FORWARDED_METHOD, FORWARDED_TARGET, CLIENT_ADDRESS]
    return {
        "@type": f"{_TYPE}filters.http.ext_authz.v3.ExtAuthz",
        "failure_mode_allow": False,
        "status_on_error": {"code": "ServiceUnavailable"},
        "allowed_headers": _exactly(asked_with),
        "http_service": {
            "server_uri": {"uri": f"http://{host}:{port}", "cluster": DECISION, "timeout": "2s"},
            "path_prefix": PATH,
            "authorization_response": {
                "allowed_upstream_headers": _exactly(REPLACED),
                "allowed_client_headers_on_success": _exactly(["RateLimit", "RateLimit-Policy"]),
            },
        },
    }


def _routes(services: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each prefix to its service; the rest to nginx, which has its own way to ask."""
    guarded = [
        {"match": {"path_separated_prefix": prefix}, "route": {"cluster": service, "timeout": _TIMEOUT}}
        for prefix, service in services.items()
    ]
    unasked = {"@type": f"{_TYPE}filters.http.ext_authz.v3.ExtAuthzPerRoute", "disabled": True}
    rest = {
        "match": {"prefix": "/"},
        "route": {"cluster": GATEWAY, "timeout": _TIMEOUT},
        "typed_per_filter_config": {"ext_authz": unasked},
    }
    return [*guarded, rest]


def _cluster(name: str, place: Place) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(place)}}
    return {
        "name": name,
        "type": "STRICT_DNS",
        "connect_timeout": "2s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(place: Place) -> dict[str, Any]:
    host, port = place
    return {"socket_address": {"address": host, "port_value": port}}


def _set(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _exactly(names: Iterable[str]) -> dict[str, Any]:
    return {"patterns": [{"exact": name.lower()} for name in names]}


def _regex(pattern: str) -> dict[str, Any]:
    return {"safe_regex": {"regex": pattern}}


def example() -> dict[str, Any]:
    """Return the configuration for the sample `academy` in the namespace `smartcourse`."""
    routes = RouteTable(checkout_table().routes)
    gateway = "academy-gateway.smartcourse.svc"
    places = {name: (f"academy-{name}.smartcourse.svc", _PORTS[name]) for name in routes.services}
    places |= {DECISION: (gateway, 8010), GATEWAY: (gateway, 8000)}
    return configuration(("0.0.0.0", 8080), places, routes.routes)  # noqa: S104 - it is an ingress


if __name__ == "__main__":
    sys.stdout.write(json.dumps(example(), indent=2) + "\n")
