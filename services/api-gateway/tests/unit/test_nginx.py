"""nginx's configuration as text, and its settings. What it does is tested with the real nginx."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api_gateway.config import DecisionSettings, NginxSettings
from api_gateway.nginx.addresses import resolve
from api_gateway.nginx.configuration import included, render
from api_gateway.routing import CompiledTable, Route

UPLOAD = Route(
    service="course",
    method="POST",
    path="/api/lessons/{lesson_id}/files/{name}",
    allow=("instructor",),
    rate="default",
    parameters={"lesson_id": "integer", "name": "string"},
    max_body_bytes=5_000_000,
)
STREAMS = [
    Route(service="user", method="GET", path=f"/api/{kind}", allow=("admin",), rate="default", stream=kind)
    for kind in ("sse", "websocket")
]
TABLE = CompiledTable(routes=[UPLOAD, *STREAMS], request_headers=["x-tone"])
URLS = {f"{name}_service_url": f"http://{name}:80" for name in ("user", "course", "notification")}


def settings(tmp_path: Path, **more: Any) -> NginxSettings:
    return NginxSettings(_env_file=None, gateway_run_dir=tmp_path, **URLS, **more)  # type: ignore[call-arg]


def text(tmp_path: Path, **more: Any) -> str:
    """The whole configuration, as if what is included stood in one file."""
    addresses = {"user": ["10.0.0.1:80", "[fd00::1]:80"], "course": [], "notification": ["10.0.0.3:80"]}
    given = settings(tmp_path, **more)
    certificate = tmp_path / "pair" if given.gateway_tls_dir else None
    main = render(given, TABLE, addresses=addresses, certificate=certificate)
    return "\n".join([main, *included(given, TABLE).values()])


def location(configuration: str, path: str) -> str:
    found = re.search(rf'location ~ "\^{re.escape(path)}\$" \{{(.*?)\n {{6}}\}}', configuration, re.DOTALL)
    assert found is not None
    return found[1]


def test_every_place_is_in_the_run_directory(tmp_path: Path) -> None:
    configuration = text(tmp_path)
    assert f"unix:{tmp_path}/decision.sock" in configuration
    assert re.search(r"(?<![\w.-])/(?:var|run|etc)/", configuration) is None
    assert "%{" not in configuration


def test_all_addresses_of_a_service_are_used_and_one_without_any_is_down(tmp_path: Path) -> None:
    configuration = text(tmp_path)
    assert "server 10.0.0.1:80 max_fails=0;" in configuration
    assert "server [fd00::1]:80 max_fails=0;" in configuration
    assert re.search(r"upstream course \{\s+server 127\.0\.0\.1:1 down;", configuration)


def test_an_address_that_is_alone_is_tried_twice_and_connections_do_not_last(tmp_path: Path) -> None:
    configuration = text(tmp_path, gateway_keepalive_seconds=7)
    assert configuration.count("server 10.0.0.3:80 max_fails=0;") == 2
    assert configuration.count("keepalive_time 7s;") == 3
    assert "proxy_next_upstream error timeout;" in configuration
    assert "non_idempotent" not in re.sub("#.*", "", configuration)


@pytest.mark.parametrize(("read_timeout", "within"), [(30, 5), (3, 3)])
def test_a_read_that_timed_out_is_too_late_for_a_second_try(tmp_path: Path, read_timeout: int, within: int) -> None:
    configuration = text(tmp_path, gateway_read_timeout_seconds=read_timeout)
    assert f"proxy_next_upstream_timeout {within}s;" in configuration


def test_declared_streams_have_locations_and_only_a_websocket_may_change_the_protocol(tmp_path: Path) -> None:
    configuration = text(tmp_path, gateway_stream_timeout_seconds=77)
    events, talk = location(configuration, "/api/sse"), location(configuration, "/api/websocket")
    for each in (events, talk):
        assert "proxy_buffering off;" in each
        assert "proxy_read_timeout 77s;" in each
    assert "Upgrade" not in events
    assert "proxy_set_header Upgrade $websocket_upgrade;" in talk
    assert "passed.conf;" in talk, "nginx takes proxy_set_header from one level alone"
    assert configuration.count("proxy_set_header Upgrade") == 1


def test_nothing_of_cors_tls_or_proxy_protocol_is_there_unless_asked_for(tmp_path: Path) -> None:
    configuration = text(tmp_path)
    for word in ("Access-Control-", "$cors", "Vary", "ssl", "Strict-Transport", "proxy_protocol", "8081"):
        assert word not in re.sub("proxy_hide_header.*|#.*", "", configuration), word


def test_tls_listens_beside_http_and_says_so(tmp_path: Path) -> None:
    configuration = text(tmp_path, gateway_tls_dir=tmp_path, gateway_tls_listen="9443")
    assert "listen 9443 ssl http2 backlog=1024;" in configuration
    assert f"ssl_certificate_key {tmp_path}/pair.key;" in configuration
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in configuration
    assert "add_header Strict-Transport-Security $transport_security always;" in configuration


def test_proxy_protocol_is_believed_from_the_balancer_alone_and_probes_have_a_listener(tmp_path: Path) -> None:
    more = {"gateway_proxy_protocol": True, "trusted_proxies": "10.0.0.0/8", "gateway_tls_dir": tmp_path}
    configuration = text(tmp_path, **more)
    assert "listen 8000 proxy_protocol backlog=1024;" in configuration
    assert "listen 8443 ssl http2 proxy_protocol backlog=1024;" in configuration
    assert "real_ip_header proxy_protocol;" in configuration
    assert "set_real_ip_from 10.0.0.0/8;" in configuration
    assert "listen 8081;" in configuration
    assert '"1 https" https;' not in configuration, "the client's own header comes through a balancer of connections"


def test_every_level_that_adds_a_header_to_answers_begins_with_those_of_every_answer(tmp_path: Path) -> None:
    origin = "https://app.example.org"
    lines = text(tmp_path, cors_origins=origin, gateway_tls_dir=tmp_path).splitlines()
    begun: list[bool] = []
    for line in lines[: lines.index("}") + 1]:
        if line.endswith("{"):
            begun.append(False)
        elif line.strip() == "}":
            begun.pop()
        elif "/answer.conf;" in line:
            begun[-1] = True
        elif line.strip().startswith("add_header"):
            assert begun[-1], line


def test_declared_headers_are_passed_and_identity_is_not(tmp_path: Path) -> None:
    configuration = text(tmp_path)
    assert "proxy_set_header x-tone $http_x_tone;" in configuration
    assert "$http_x_user" not in configuration
    assert "$http_cookie" not in configuration


def test_a_route_with_a_limit_of_its_own_has_a_location_that_streams(tmp_path: Path) -> None:
    configuration = text(tmp_path)
    found = location(configuration, UPLOAD.pattern)
    assert re.fullmatch(UPLOAD.pattern, "/api/lessons/7/files/a%20b")
    assert not re.fullmatch(UPLOAD.pattern, "/api/lessons/x/files/a")
    assert "client_max_body_size 5000000;" in found
    assert "proxy_request_buffering off;" in found


def test_no_proxy_is_trusted_unless_named(tmp_path: Path) -> None:
    assert "set_real_ip_from" not in text(tmp_path)
    configuration = text(tmp_path, trusted_proxies="10.244.0.0/16, fd00::/8")
    assert "set_real_ip_from 10.244.0.0/16;" in configuration
    assert "set_real_ip_from fd00::/8;" in configuration


def test_a_path_that_could_escape_into_the_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't hold plainly"):
        text(tmp_path / "a; b")


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_service_url": "https://user"},
        {"user_service_url": "http://user/path"},
        {"trusted_proxies": "everybody"},
        {"gateway_listen": "8000; evil"},
        {"gateway_proxy_protocol": "true"},
        {"gateway_forward_auth_listen": "8010"},
        {"gateway_forward_auth_listen": "decide:8010"},
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        NginxSettings(_env_file=None, **{**URLS, "gateway_run_dir": tmp_path, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("origins", "message"),
    [
        ("*", "every site"),
        ("https://a.example, *", "every site"),
        ("null", "no origin"),
        ("https://A.example", "no origin"),
        ("https://a.example/", "no origin"),
        ("https://*.example", "no origin"),
        ("ftp://a.example", "no origin"),
        ('https://a.example"; evil', "no origin"),
        ("https://a.example:443", "own port"),
        ("http://a.example:80", "own port"),
    ],
)
def test_what_is_no_exact_origin_is_refused(tmp_path: Path, origins: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(tmp_path, cors_origins=origins)


def test_origins_are_listed_once_each(tmp_path: Path) -> None:
    origins = "https://a.example, http://localhost:5173,http://[::1]:80443, https://a.example"
    assert settings(tmp_path, cors_origins=origins).cors_origins == (
        "https://a.example", "http://localhost:5173", "http://[::1]:80443",
    )  # fmt: skip


def test_a_name_that_cannot_be_looked_up_keeps_its_addresses(tmp_path: Path) -> None:
    services = NginxSettings(_env_file=None, **{**URLS, "user_service_url": "http://no-such-name.invalid:1"}).services  # type: ignore[arg-type]
    known = {"user": ["10.0.0.9:1"]}
    assert resolve({"user": services["user"]}, known) == known
    assert resolve({"user": services["user"]}, {}) == {"user": []}


@pytest.mark.parametrize("name", ["jwt_secret_key", "jwt_secret_key_previous", "gateway_identity_key"])
def test_a_short_secret_stops_the_decision_process(name: str) -> None:
    good = {"jwt_secret_key": "x" * 32, "gateway_identity_key": "y" * 32, "redis_url": "redis://localhost"}
    with pytest.raises(ValidationError, match="at least 32 bytes"):
        DecisionSettings(_env_file=None, **{**URLS, **good, name: "x" * 31})  # type: ignore[arg-type]


def test_other_algorithms_than_hs256_are_refused() -> None:
    good = {"jwt_secret_key": "x" * 32, "gateway_identity_key": "y" * 32, "redis_url": "redis://localhost"}
    with pytest.raises(ValidationError, match="HS256"):
        DecisionSettings(_env_file=None, **{**URLS, **good, "jwt_algorithm": "none"})  # type: ignore[arg-type]
