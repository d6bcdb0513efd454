"""The gateway beside Envoy's native `jwt_authn`, in front of the same upstream: requests a second.

Ours is the real thing (nginx, the decision process, Redis): it verifies the token, counts the request against a limit,
checks revocations and signs the identity; Envoy verifies the token. Both keep connections open and write an access
log. They take turns, and the ratio is the median of the turns' ratios: what else the machine does weighs on both alike.
Needs `wrk`, `nginx-light` and `redis-server` (Debian's). Writes build/bench/gateway.json.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import statistics
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

from shared.testing.processes import Process, free_port, program
from shared.testing.redis import RedisServer

ROOT = Path(__file__).resolve().parents[2]
CONNECTIONS = 32
ROUNDS = int(os.environ.get("ROUNDS", "8"))
SECONDS = int(os.environ.get("SECONDS_A_ROUND", "3"))
GOAL = 0.8
USERS = 100
BODY = "x" * 2048
PATH = "/api/auth/me"


@dataclass
class Rival:
    """One gateway under test: where it listens and what its rounds gave."""

    name: str
    port: int
    rates: list[float] = field(default_factory=list)
    worst: list[float] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)


def tokens(secret: str) -> list[str]:
    now = int(time.time())
    kid = hashlib.sha256(secret.encode()).hexdigest()[:8]
    common = {"iat": now, "exp": now + 3600, "type": "access", "role": "student", "iss": "smartcourse"}
    return [
        jwt.encode(
            {**common, "aud": "smartcourse-api", "sub": str(user), "jti": secrets.token_hex(8), "sid": f"s{user}"},
            secret,
            algorithm="HS256",
            headers={"kid": kid},
        )
        for user in range(1, USERS + 1)
    ]


def start_upstream(folder: Path) -> int:
    port = free_port()
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "upstream.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/upstream.pid; error_log stderr alert; events {{}}\n"
        f"http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {folder}/body; {temporary}\n"
        f"server {{ listen 127.0.0.1:{port}; default_type application/json;\n"
        f"location / {{ return 200 '{BODY}'; }} }} }}\n"
    )
    command = [program("nginx", "/usr/sbin/nginx", package="nginx-light"), "-p", str(folder), "-e", "stderr"]
    run(folder, "upstream", [*command, "-c", str(folder / "upstream.conf")], port)
    return port


def start_ours(folder: Path, upstream: int, *, secret: str, redis: RedisServer) -> Rival:
    port = free_port()
    routes = folder / "routes"
    documents = [str(path) for path in sorted((ROOT / "services").glob("*-service/openapi.json"))]
    compiler = [sys.executable, "-m", "api_gateway.compile", "--openapi", *documents, "--out", str(routes)]
    subprocess.run(compiler, check=True, stdout=subprocess.DEVNULL)
    services = {f"{name}_SERVICE_URL": f"http://127.0.0.1:{upstream}" for name in ("USER", "COURSE", "NOTIFICATION")}
    environment = {
        "PATH": os.environ["PATH"],
        "GATEWAY_RUN_DIR": str(folder / "run"),
        "GATEWAY_ROUTES_DIR": str(routes),
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_IDENTITY_KEY": secrets.token_hex(32),
        "JWT_SECRET_KEY": secret,
        "METRICS_PORT": "0",
        "RATE_LIMIT_DEFAULT_PER_MINUTE": "100000000",
        "REDIS_URL": redis.url,
        **services,
    }
    with Redis.from_url(redis.url) as client:
        client.xadd("smartcourse:revocations", {"sids": "", "until": "0"})
    for part in ("decision", "nginx"):
        run(folder, part, [sys.executable, "-m", f"api_gateway.{part}"], None, environment)
    return Rival("nginx + decision", port)


def start_envoy(folder: Path, upstream: int, *, secret: str) -> Rival:
    port = free_port()
    key = base64.urlsafe_b64encode(secret.encode()).rstrip(b"=").decode()
    kid = hashlib.sha256(secret.encode()).hexdigest()[:8]
    keys = {"keys": [{"kty": "oct", "alg": "HS256", "kid": kid, "k": key}]}
    (folder / "envoy.json").write_text(json.dumps(envoy_configuration(folder, port, upstream, keys)))
    binary = str(Path(sys.executable).with_name("envoy"))
    command = [binary, "-c", str(folder / "envoy.json"), "--concurrency", "2", "--log-level", "error"]
    run(folder, "envoy", [*command, "--use-dynamic-base-id"], port)
    return Rival("Envoy jwt_authn", port)


def envoy_configuration(folder: Path, port: int, upstream: int, keys: dict[str, Any]) -> dict[str, Any]:
    extensions = "type.googleapis.com/envoy.extensions"
    provider = {
        "issuer": "smartcourse",
        "audiences": ["smartcourse-api"],
        "local_jwks": {"inline_string": json.dumps(keys)},
    }
    authentication = {
        "@type": f"{extensions}.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"smartcourse": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "smartcourse"}}],
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
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{extensions}.filters.http.router.v3.Router"},
            },
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": address(upstream)}}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "ingress", "address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


_started: list[Process] = []


def run(
    folder: Path, name: str, command: list[str], port: int | None, environment: dict[str, str] | None = None
) -> None:
    process = Process(command, log=folder / f"{name}.log", environment=environment)
    _started.append(process)
    if port is not None:
        process.wait_until(lambda: _answers(f"http://127.0.0.1:{port}/"))


def _answers(url: str, *, status: int | None = None, token: str = "") -> bool:
    with contextlib.suppress(httpx.HTTPError):
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"} if token else {}, timeout=2)
        return status is None or answer.status_code == status
    return False


def wait_served(rival: Rival, token: str) -> None:
    deadline = time.monotonic() + 60
    while not _answers(rival.url, status=200, token=token):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{rival.name} did not answer {rival.url} with 200 within 60 s")
        time.sleep(0.1)
    if not _answers(rival.url, status=401) or not _answers(rival.url, status=401, token="a.b.c"):
        raise AssertionError(f"{rival.name} lets requests without a good token pass")


def measure(rival: Rival, script: Path, *, seconds: int) -> tuple[float, float]:
    """Return requests a second and the 99th percentile of the latency in milliseconds."""
    command = [program("wrk", package="wrk"), "-t", "2", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "--latency"]
    answer = subprocess.run(
        [*command, "-s", str(script), rival.url], capture_output=True, text=True, check=True, timeout=seconds + 30
    ).stdout
    if "Non-2xx" in answer or "Socket errors" in answer:
        raise AssertionError(f"{rival.name} answered with errors:\n{answer}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", answer)[1])  # type: ignore[index]
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", answer).groups()  # type: ignore[union-attr]
    return rate, float(value) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def write_script(folder: Path, bearers: list[str]) -> Path:
    """Make each connection take the users in turn, so that nothing is fast for being about one user only."""
    listed = ",".join(f'"{token}"' for token in bearers)
    path = folder / "users.lua"
    path.write_text(
        f"local tokens, made, i = {{{listed}}}, {{}}, 0\n"
        "init = function() for n, token in ipairs(tokens) do\n"
        '  made[n] = wrk.format("GET", nil, {["Authorization"] = "Bearer " .. token}) end end\n'
        "request = function() i = i % #made + 1 return made[i] end\n"
    )
    return path


@contextlib.contextmanager
def rivals() -> Iterator[tuple[Rival, Rival, Path]]:
    folder = Path(tempfile.mkdtemp(prefix="smartcourse-bench-"))
    redis = RedisServer()
    secret = secrets.token_hex(32)
    bearers = tokens(secret)
    try:
        upstream = start_upstream(folder)
        ours = start_ours(folder, upstream, secret=secret, redis=redis)
        envoy = start_envoy(folder, upstream, secret=secret)
        for rival in (ours, envoy):
            wait_served(rival, bearers[0])
        yield ours, envoy, write_script(folder, bearers)
    finally:
        for process in reversed(_started):
            process.stop()
        redis.close()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    with rivals() as (ours, envoy, script):
        for rival in (ours, envoy):
            measure(rival, script, seconds=2)  # warm up
        for turn in range(ROUNDS):
            for rival in (ours, envoy) if turn % 2 == 0 else (envoy, ours):
                rate, worst = measure(rival, script, seconds=SECONDS)
                rival.rates.append(rate)
                rival.worst.append(worst)
    ratio = round(statistics.median(mine / its for mine, its in zip(ours.rates, envoy.rates, strict=True)), 3)
    for rival in (ours, envoy):
        rounds = " ".join(f"{rate:,.0f}" for rate in rival.rates)
        print(f"{rival.name:18} {rival.rate:>9,.0f} req/s  p99 {statistics.median(rival.worst):.1f} ms  ({rounds})")
    print(f"median ratio of the turns {ratio} (goal >= {GOAL}); ratio of the medians {ours.rate / envoy.rate:.3f}")
    result = {
        "name": f"gateway: authenticated GET, 2 KB, {CONNECTIONS} connections",
        "ours": round(ours.rate, 1),
        "rival": round(envoy.rate, 1),
        "rival_name": envoy.name,
        "unit": "requests/s",
        "ratio": ratio,
        "goal": f">= {GOAL}",
    }
    out = ROOT / "build" / "bench" / "gateway.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps([result], indent=2) + "\n")


if __name__ == "__main__":
    main()
