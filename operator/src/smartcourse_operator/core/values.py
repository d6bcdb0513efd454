"""The umbrella chart's values, made from a SmartCourse's spec."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from smartcourse_operator.core import names, tuning
from smartcourse_operator.core.fields import Model
from smartcourse_operator.core.spec import Database, DatabaseMode, Route, RouteMode, Service, SmartCourseSpec
from smartcourse_operator.core.volumes import HOLDING_TRUTH

Values = dict[str, Any]


def plain(model: Model | None) -> Values:
    return model.document() if model else {}


def datastore_values(database: Database) -> Values:
    kept = ("size", "storageClassName", "resources")
    return {key: value for key, value in plain(database).items() if key in kept}


def secret_names(spec: SmartCourseSpec) -> dict[str, str]:
    """Return the Secrets that are not the operator's own, by the chart's key."""
    outside = {
        store: database.secret_name
        for store in names.DATASTORES
        if (database := getattr(spec.databases, store)).mode is DatabaseMode.EXTERNAL
    }
    services = {
        "auth": spec.auth.secret_name,
        "smtp": spec.email.smtp_secret_name,
        "push": spec.push.secret_name,
        "kafka": spec.events.kafka_secret_name,
    }
    return {key: name for key, name in {**outside, **services}.items() if name}


def database_values(
    spec: SmartCourseSpec, secret_hashes: dict[str, str], *, logins: dict[str, Values], hold_data: bool
) -> Values:
    found: Values = {
        store: {
            "mode": getattr(spec.databases, store).mode.value,
            "secretHash": secret_hashes.get(store, ""),
            **({"initialised": hold_data} if store in HOLDING_TRUTH else {}),
        }
        for store in names.DATASTORES
    }
    found["redis"]["adminSecretHash"] = secret_hashes.get("redis-admin", "")
    found["postgres"] |= {
        "logins": logins,
        "pool": asdict(tuning.pool(spec)),
        "parameters": tuning.parameters(spec.databases.postgres),
    }
    return found


def telemetry_values(spec: SmartCourseSpec) -> Values:
    monitoring = spec.monitoring
    return {
        "otlpEndpoint": monitoring.otlp_endpoint or "",
        "serviceMonitors": monitoring.service_monitors,
        "serviceMonitorLabels": monitoring.service_monitor_labels or {},
    }


ROUTE_OF_THE_GATEWAY = ("corsOrigins", "trustedProxies", "proxyProtocol")
"""What the spec says of the route and the gateway, not the route, has to carry out."""
ROUTE_OF_THE_DOOR = ("mode", "dataPlaneNamespace")


def service_values(spec: SmartCourseSpec, service: Service) -> Values:
    return {**plain(service), "replicas": spec.replicas_of(service)}


def gateway_values(spec: SmartCourseSpec) -> Values:
    route = {key: value for key, value in plain(spec.route).items() if key in ROUTE_OF_THE_GATEWAY}
    return {
        **service_values(spec, spec.services.gateway),
        **route,
        "limits": plain(spec.limits),
        "maintenance": spec.maintenance,
    }


def forward_auth_values(route: Route) -> Values:
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": route.data_plane_namespace}}
    return {"enabled": route.mode is RouteMode.FORWARD_AUTH, "dataPlane": [{"namespaceSelector": namespace}]}


def route_values(route: Route) -> Values:
    elsewhere = (*ROUTE_OF_THE_GATEWAY, *ROUTE_OF_THE_DOOR)
    return {key: value for key, value in plain(route).items() if key not in elsewhere}


def chart_values(
    spec: SmartCourseSpec, *, images: dict[str, str], image_pull_policy: str, secret_hashes: dict[str, str],
    logins: dict[str, Values], has_kafka_ca: bool, public_url: str, hold_data: bool, restored: str = "",
    contract: list[str] | None = None,
) -> Values:  # fmt: skip
    """Return the values to render with; `secret_hashes` is by datastore, and `auth email push events` for the rest.

    `logins`: by service, which of its PostgreSQL roles it uses and whether the other has a password too.
    `hold_data`: the databases' volumes are known to be initialised, and must not be so again. `restored`: what the data
    was last restored by, for then the schema is brought about anew. `contract`: the services whose schema may lose what
    only the release before needs.

    Raises:
        TooManyConnectionsError: PostgreSQL does not take the connections that the spec's pods need.
    """
    auth = {key: value for key, value in plain(spec.auth).items() if key != "secretName"}
    hashes = {part: secret_hashes.get(part, "") for part in ("auth", "email", "push", "events")}
    return {
        "global": {
            "images": images,
            "imagePullPolicy": image_pull_policy,
            "secretNames": secret_names(spec),
            "databases": database_values(spec, secret_hashes, logins=logins, hold_data=hold_data),
            "auth": {**auth, "secretHash": hashes["auth"]},
            "publicUrl": public_address(spec.route, public_url),
            "email": {"from": spec.email.sender, "secretHash": hashes["email"]},
            "push": {"subject": spec.push.subject, "secretHash": hashes["push"]},
            "events": {
                "broker": spec.events.broker.value,
                "hasCa": has_kafka_ca,
                "secretHash": hashes["events"],
            },
            "telemetry": telemetry_values(spec),
            "forwardAuth": forward_auth_values(spec.route),
            "restored": restored,
            "contract": contract or [],
        },
        **{store: datastore_values(getattr(spec.databases, store)) for store in names.DATASTORES},
        **{service: service_values(spec, getattr(spec.services, service)) for service in names.SERVICES},
        "gateway": gateway_values(spec),
        "route": route_values(spec.route),
        "seed": plain(spec.seed),
    }


def public_address(route: Route, public_url: str) -> str:
    """Return where people reach the platform; the port is the ingress controller's, which `public_url` names."""
    if not route.host:
        return public_url.rstrip("/")
    parts = urlsplit(public_url)
    scheme = "https" if route.tls else "http"
    port = f":{parts.port}" if parts.port and scheme == parts.scheme else ""
    return f"{scheme}://{route.host}{port}"
