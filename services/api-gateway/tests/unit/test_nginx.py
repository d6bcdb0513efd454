"""nginx's configuration as text, and its settings. What it does is tested with the real nginx."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from api_gateway.config import DecisionSettings, NginxSettings
from api_gateway.nginx.addresses import resolve
from api_gateway.nginx.configuration import render
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
URLS = {f"{name}_service_url": f"http://{name}:80" for name in ("user", "course", "notification")}


def settings(tmp_path: Path, **more: Any) -> NginxSettings:
    return NginxSettings(_env_file=None, gateway_run_dir=tmp_path, **URLS, **more)  # type: ignore[call-arg]


def text(tmp_path: Path, **more: Any) -> str:
    addresses = {"user": ["10.0.0.1:80", "[fd00::1]:80"], "course": []}
    table = CompiledTable(routes=[UPLOAD], request_headers=["x-tone"])
    return render(settings(tmp_path, **more), table, addresses=addresses)


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


def test_declared_headers_are_passed_and_identity_is_not(tmp_path: Path) -> None:
    configuration = text(tmp_path)
    assert "proxy_set_header x-tone $http_x_tone;" in configuration
    assert "$http_x_user" not in configuration
    assert "$http_cookie" not in configuration


def test_a_route_with_a_limit_of_its_own_has_a_location_that_streams(tmp_path: Path) -> None:
    configuration = text(tmp_path)
    location = re.search(r'location ~ "\^(/api/lessons/.*)\$" \{(.*?)\n {6}\}', configuration, re.DOTALL)
    assert location is not None
    assert re.fullmatch(location[1], "/api/lessons/7/files/a%20b")
    assert not re.fullmatch(location[1], "/api/lessons/x/files/a")
    assert "client_max_body_size 5000000;" in location[2]
    assert "proxy_request_buffering off;" in location[2]


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
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        NginxSettings(_env_file=None, **{**URLS, "gateway_run_dir": tmp_path, **wrong})  # type: ignore[arg-type]


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
