"""The gateway and its rivals in front of one upstream, each as processes on loopback."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import jwt
from redis import Redis

from api_gateway.data_plane import traefik
from api_gateway.decision.forward import PATH as PATH_TO_ASK
from shared.testing.processes import Process, family, free_port, program, resident_bytes
from shared.testing.redis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
USERS = 100
BODY = "x" * 2048
PATH = "/api/auth/me"
STREAM = "smartcourse:revocations"
NEVER_REACHED = 100_000_000
_TICKS = os.sysconf("SC_CLK_TCK")


def tokens(secret: str, users: int = USERS) -> list[str]:
    """Return an access token of each of so many users."""
    now = int(time.time())
    common = {"iat": now, "exp": now + 3600, "type": "access", "role": "student", "iss": "smartcourse"}
    return [
        jwt.encode(
            {**common, "aud": "smartcourse-api", "sub": str(user), "jti": secrets.token_hex(8), "sid": f"s{user}"},
            secret,
            algorithm="HS256",
            headers={"kid": kid(secret)},
        )
        for user in range(1, users + 1)
    ]


def kid(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:8]


@dataclass
class Street:
    """One upstream and whatever doors were opened in front of it."""

    folder: Path
    redis: RedisServer
    secret: str = field(default_factory=lambda: secrets.token_hex(32))
    identity_key: str = field(default_factory=lambda: secrets.token_hex(32))
    processes: dict[str, Process] = field(default_factory=dict)
    upstream: int = field(default_factory=free_port)
    decisions: int = field(default_factory=free_port)
    gateway: int = field(default_factory=free_port)

    def run(self, name: str, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.processes[name] = Process(command, log=self.folder / f"{name}.log", environment=environment)

    def cpu_seconds(self, name: str) -> float:
        """Return how much processor time a process and its children have used until now."""
        return sum(_cpu_seconds(pid) for pid in family(self.processes[name].pid))

    def memory_bytes(self, name: str) -> int:
        """Return the resident memory of a process and its children."""
        return sum(resident_bytes(pid) for pid in family(self.processes[name].pid))

    def revoke(self, *sids: str) -> None:
        with Redis.from_url(self.redis.url) as client:
            client.xadd(STREAM, {"sids": ",".join(sids), "until": str(int(time.time()) + 900)})


def _cpu_seconds(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0


@contextlib.contextmanager
def street() -> Iterator[Street]:
    """Build the upstream; everything that was opened in front of it ends with the context."""
    folder = Path(tempfile.mkdtemp(prefix="smartcourse-bench-"))
    redis = RedisServer()
    built = Street(folder, redis)
    try:
        _run_nginx(built, "upstream", built.upstream, f"return 200 '{BODY}';")
        yield built
    finally:
        for process in reversed(built.processes.values()):
            process.stop()
        redis.close()
        shutil.rmtree(folder, ignore_errors=True)


def open_ours(built: Street) -> int:
    """Start nginx, the decision process and Redis's stream; return the port."""
    routes = built.folder / "routes"
    documents = [str(path) for path in sorted((ROOT / "services").glob("*-service/openapi.json"))]
    compiler = [sys.executable, "-m", "api_gateway.compile", "--openapi", *documents, "--out", str(routes)]
    subprocess.run(compiler, check=True, stdout=subprocess.DEVNULL)
    with Redis.from_url(built.redis.url) as client:
        client.xgroup_create(STREAM, "complete", mkstream=True)  # nobody is revoked
    start_pod(built, "", port=built.gateway, decisions=built.decisions, keys=(built.secret, ""))
    return built.gateway


def start_pod(built: Street, mark: str, *, port: int, decisions: int, keys: tuple[str, str]) -> None:
    """Start the two processes `decision` and `nginx`, with `mark` behind their names.

    `keys`: the secret that tokens are signed with, and the previous one or "".
    """
    names = ("USER", "COURSE", "NOTIFICATION")
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_RUN_DIR": str(built.folder / f"run{mark}"),
        "GATEWAY_ROUTES_DIR": str(built.folder / "routes"),
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_IDENTITY_KEY": built.identity_key,
        "JWT_SECRET_KEY": keys[0],
        "JWT_SECRET_KEY_PREVIOUS": keys[1],
        "METRICS_PORT": "0",
        "RATE_LIMIT_DEFAULT_PER_MINUTE": str(NEVER_REACHED),
        "REDIS_URL": built.redis.url,
        "GATEWAY_FORWARD_AUTH_LISTEN": f"127.0.0.1:{decisions}",
        "TRUSTED_PROXIES": "127.0.0.0/8",
        **{f"{name}_SERVICE_URL": f"http://127.0.0.1:{built.upstream}" for name in names},
    }
    for part in ("decision", "nginx"):
        built.run(part + mark, [sys.executable, "-m", f"api_gateway.{part}"], environment)


def open_nginx(built: Street) -> int:
    """Start nginx that carries and decides nothing: the most that can be had; return the port."""
    port = free_port()
    carry = (
        "proxy_pass http://upstream; proxy_http_version 1.1; proxy_set_header Connection '';"
        f"access_log {built.folder}/plain-access.log combined buffer=32k flush=1s;"
    )
    pool = f"upstream upstream {{ server 127.0.0.1:{built.upstream}; keepalive 64; keepalive_requests 100000; }}"
    _run_nginx(built, "plain nginx", port, carry, pool, workers=2)
    return port


def open_guide_proxy(built: Street) -> int:
    """Start the guide's own gateway; return the port."""
    port = free_port()
    uvicorn = str(Path(sys.executable).with_name("uvicorn"))
    command = [uvicorn, "tests.load.guide_proxy:app", "--port", str(port), "--workers", "2", "--no-access-log"]
    environment = {
        "PATH": os.environ["PATH"],
        "UPSTREAM": f"http://127.0.0.1:{built.upstream}",
        "SECRET": built.secret,
        "PYTHONPATH": str(ROOT),
    }
    built.run("guide's proxy", [*command, "--app-dir", str(ROOT)], environment)
    return port


def open_traefik_asking(built: Street) -> int:
    """Start Traefik that carries and asks our decision process (ForwardAuth), as the chart has it; return the port."""
    return _open_traefik(built, built.upstream, traefik.middlewares(f"http://127.0.0.1:{built.decisions}{PATH_TO_ASK}"))


def open_traefik_before_ours(built: Street) -> int:
    """Start Traefik as an ingress controller that hands everything to our nginx; return the port."""
    return _open_traefik(built, built.gateway, {})


def point_traefik(built: Street, *behind: int, middlewares: dict[str, Any] | None = None) -> Path:
    """Have Traefik send everything to these ports from now on: it watches the file that is returned."""
    file = built.folder / "traefik.yaml"
    servers = [{"url": f"http://127.0.0.1:{port}"} for port in behind]
    router = {"rule": "PathPrefix(`/`)", "service": "behind", "middlewares": list(middlewares or {})}
    services = {"behind": {"loadBalancer": {"servers": servers}}}
    dynamic = {"routers": {"all": router}, "services": services, "middlewares": middlewares}
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps({"http": {name: part for name, part in dynamic.items() if part}}), encoding="utf-8")
    return draft.replace(file)


def _open_traefik(built: Street, behind: int, middlewares: dict[str, Any]) -> int:
    port, file = free_port(), point_traefik(built, behind, middlewares=middlewares)
    options = [f"--entrypoints.web.address=127.0.0.1:{port}", f"--providers.file.filename={file}", "--log.level=ERROR"]
    options += ["--entrypoints.web.forwardedheaders.trustedips=127.0.0.0/8", "--global.checknewversion=false"]
    options += ["--global.sendanonymoususage=false", "--accesslog=true", f"--accesslog.filepath={file}.log"]
    built.run("traefik", [str(Path(sys.executable).with_name("traefik")), *options, "--accesslog.bufferingsize=256"])
    return port


def open_envoy(built: Street) -> int:
    """Start Envoy with its native filters: token, claims as headers, a local limit, an access log; return the port."""
    port = free_port()
    key = base64.urlsafe_b64encode(built.secret.encode()).rstrip(b"=").decode()
    keys = {"keys": [{"kty": "oct", "alg": "HS256", "kid": kid(built.secret), "k": key}]}
    configuration = envoy_configuration(built.folder, port, built.upstream, keys)
    (built.folder / "envoy.json").write_text(json.dumps(configuration), encoding="utf-8")
    binary = str(Path(sys.executable).with_name("envoy"))
    command = [binary, "-c", str(built.folder / "envoy.json"), "--concurrency", "2", "--log-level", "error"]
    built.run("envoy", [*command, "--use-dynamic-base-id"])
    return port


def envoy_configuration(folder: Path, port: int, upstream: int, keys: dict[str, Any]) -> dict[str, Any]:
    """Return Envoy's bootstrap configuration; `keys` is the JSON Web Key Set."""
    extensions = "type.googleapis.com/envoy.extensions"
    provider = {
        "issuer": "smartcourse",
        "audiences": ["smartcourse-api"],
        "local_jwks": {"inline_string": json.dumps(keys)},
        "claim_to_headers": [
            {"header_name": "x-user-id", "claim_name": "sub"},
            {"header_name": "x-user-role", "claim_name": "role"},
        ],
    }
    authentication = {
        "@type": f"{extensions}.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"smartcourse": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "smartcourse"}}],
    }
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    limit = {
        "@type": f"{extensions}.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "limit",
        "token_bucket": {"max_tokens": NEVER_REACHED, "tokens_per_fill": NEVER_REACHED, "fill_interval": "60s"},
        "filter_enabled": always | {"runtime_key": "limit_enabled"},
        "filter_enforced": always | {"runtime_key": "limit_enforced"},
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
    }
    log = {
        "@type": f"{extensions}.access_loggers.file.v3.FileAccessLog",
        "path": str(folder / "envoy-access.log"),
        "log_format": {
            "json_format": {
                "timestamp": "%START_TIME%",
                "method": "%REQ(:METHOD)%",
                "path": "%PATH(NQ)%",
                "status": "%RESPONSE_CODE%",
                "milliseconds": "%DURATION%",
                "bytes": "%BYTES_SENT%",
                "upstream": "%UPSTREAM_CLUSTER%",
                "request_id": "%REQ(X-REQUEST-ID)%",
            }
        },
    }
    manager = {
        "@type": f"{extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "ingress",
        "access_log": [{"name": "file", "typed_config": log}],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
                }
            ]
        },
        "http_filters": [
            {"name": "envoy.filters.http.jwt_authn", "typed_config": authentication},
            {"name": "envoy.filters.http.local_ratelimit", "typed_config": limit},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{extensions}.filters.http.router.v3.Router"},
            },
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": _address(upstream)}}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "ingress", "address": _address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _run_nginx(built: Street, name: str, port: int, location: str, before: str = "", *, workers: int = 1) -> None:
    folder = built.folder / name.replace(" ", "-")
    folder.mkdir()
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes {workers}; pid {folder}/pid; error_log stderr alert;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/body; {temporary}\n"
        f"{before}\nserver {{ listen 127.0.0.1:{port}; default_type application/json;\n"
        f"location / {{ {location} }} }} }}\n",
        encoding="utf-8",
    )
    nginx = program("nginx", "/usr/sbin/nginx", package="nginx-light")
    built.run(name, [nginx, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")])


def answers(url: str, *, status: int, token: str = "") -> bool:
    """Whether `url` answers with `status`."""
    with contextlib.suppress(httpx.HTTPError):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(url, headers=headers, timeout=2).status_code == status
    return False


def wait_served(name: str, url: str, token: str, *, verifies: bool = True) -> None:
    """Wait until `url` serves `token`, and see that it serves nothing else.

    Raises:
        TimeoutError: it does not within 60 s.
        AssertionError: requests without a good token pass.
    """
    deadline = time.monotonic() + 60
    while not answers(url, status=200, token=token):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{name} did not answer {url} with 200 within 60 s")
        time.sleep(0.1)
    if verifies and not (answers(url, status=401) and answers(url, status=401, token="a.b.c")):
        raise AssertionError(f"{name} lets requests without a good token pass")
