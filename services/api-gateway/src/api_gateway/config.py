"""Settings of the gateway's two processes, read from the environment.

They are separate because the containers are: nginx is given addresses and limits but never a key.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, HttpUrl, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.config.settings import BaseServiceSettings, IdentitySettings, RedisSettings, SigningSecret

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
SERVICES: Final = ("user", "course", "notification")
_LISTEN: Final = r"^(?:[0-9a-fA-F.:\[\]]+:)?\d{1,5}$"
_HOST: Final = r"(?:[0-9.]+|\[[0-9a-fA-F:]+\])"
_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")
_LONGEST_ORIGIN: Final = 300


def _parts(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, frozen=True
    )


class PlaceSettings(_Settings):
    """Where the two processes meet: both containers need the same values."""

    gateway_run_dir: Path = Path("/tmp/gateway")  # noqa: S108 - made by us with mode 0700; the only writable place
    gateway_socket: Path | None = None
    """The decision process's unix socket; by default `decision.sock` in the run directory."""
    gateway_routes_dir: Path = Path("/app/gateway")
    """Holds `routes.json` and `openapi.json`, written by `python -m api_gateway.compile`."""
    gateway_forward_auth_listen: str | None = Field(default=None, pattern=rf"^{_HOST}:\d{{1,5}}$")
    """`host:port` where other data planes than nginx, which has the socket, ask for decisions; unset: none does."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = ()
    """Whose `X-Forwarded-For` and `X-Forwarded-Proto`, or PROXY header, is believed (comma-separated CIDRs)."""

    @property
    def socket_path(self) -> Path:
        """The decision process's unix socket."""
        return self.gateway_socket or self.gateway_run_dir / "decision.sock"

    @property
    def forward_auth_address(self) -> tuple[str, int] | None:
        """Host and port of `gateway_forward_auth_listen`."""
        if self.gateway_forward_auth_listen is None:
            return None
        host, _, port = self.gateway_forward_auth_listen.rpartition(":")
        return host.strip("[]"), int(port)

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return _parts(value)


class RateSettings(_Settings):
    """Requests a minute by class: the decision process counts, nginx serves the description that tells them."""

    rate_limit_default_per_minute: int = Field(default=600, ge=1)
    rate_limit_public_per_minute: int = Field(default=600, ge=1)
    rate_limit_login_per_minute: int = Field(default=120, ge=1)
    rate_limit_heavy_per_minute: int = Field(default=60, ge=1)


class UpstreamSettings(_Settings):
    """The services behind the gateway."""

    user_service_url: HttpUrl
    course_service_url: HttpUrl
    notification_service_url: HttpUrl

    @property
    def services(self) -> dict[str, HttpUrl]:
        """Each service's base URL by its short name."""
        return {name: getattr(self, f"{name}_service_url") for name in SERVICES}

    @field_validator("user_service_url", "course_service_url", "notification_service_url")
    @classmethod
    def _is_an_origin(cls, url: HttpUrl) -> HttpUrl:
        if url.scheme != "http" or url.path not in (None, "/") or url.query or url.username:
            raise ValueError("must be http://host:port without a path, query or credentials")
        return url


class NginxSettings(PlaceSettings, RateSettings, UpstreamSettings):
    """What nginx's configuration is written from."""

    gateway_listen: str = Field(default="8000", pattern=_LISTEN)
    gateway_tls_dir: Path | None = None
    """Holds `tls.crt` and `tls.key` (a mounted Secret of type kubernetes.io/tls); None: no TLS here."""
    gateway_tls_listen: str = Field(default="8443", pattern=_LISTEN)
    gateway_tls_kept_dir: Path | None = None
    """Where the pair that is served with is kept; best in memory. By default `tls` in the run directory."""
    gateway_proxy_protocol: bool = False
    """Whether each connection begins with a PROXY header (version 1 or 2), believed from `trusted_proxies` alone."""
    gateway_probe_listen: str = Field(default="8081", pattern=_LISTEN)
    """With PROXY protocol: where health is told to those who don't speak it."""
    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins (comma-separated, exact) whose pages may read answers."""
    nginx_path: str = "nginx"
    nginx_workers: int = Field(default=2, ge=1, le=64)
    gateway_max_body_bytes: int = Field(default=1_048_576, ge=1024)
    gateway_read_timeout_seconds: int = Field(default=30, ge=1)
    gateway_stream_timeout_seconds: int = Field(default=3600, ge=1)
    """How long a declared stream may be silent."""
    gateway_keepalive_seconds: int = Field(default=60, ge=1)
    """How long a connection to a service is used again, so that load comes to its new replicas."""
    gateway_resolve_seconds: float = Field(default=2.0, gt=0)
    """How often the services' names are looked up, and the certificate read, again."""
    gateway_drain_seconds: float = Field(default=25.0, ge=0)
    """How long requests in flight, and streams, may take after the order to stop or to read the configuration anew."""

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        return _parts(value)

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if origin == "*":
                raise ValueError("'*' would let the pages of every site read answers: list exact origins")
            if len(origin) > _LONGEST_ORIGIN or _ORIGIN.fullmatch(origin) is None:
                raise ValueError(f"{origin!r} is no origin as browsers send it, for example https://app.example.org")
            if re.fullmatch(r"https:.*:443|http:.*:80", origin):
                raise ValueError(f"{origin!r} names its scheme's own port, which browsers leave out: leave it out")
        return tuple(dict.fromkeys(origins))

    @model_validator(mode="after")
    def _proxy_is_trusted(self) -> Self:
        if self.gateway_proxy_protocol and not self.trusted_proxies:
            raise ValueError("GATEWAY_PROXY_PROTOCOL needs TRUSTED_PROXIES: the networks of those whose header counts")
        return self

    @property
    def tls_kept_dir(self) -> Path:
        """Where the certificate and key that are served with are kept."""
        return self.gateway_tls_kept_dir or self.gateway_run_dir / "tls"


class DecisionSettings(
    BaseServiceSettings, PlaceSettings, RateSettings, UpstreamSettings, IdentitySettings, RedisSettings
):
    """What the decision process needs."""

    service_name: str = "api-gateway"
    jwt_secret_key: SigningSecret
    jwt_secret_key_previous: SigningSecret | None = None
    jwt_algorithm: Literal["HS256"] = "HS256"
    jwt_issuer: str = "smartcourse"
    jwt_audience: str = "smartcourse-api"
    jwt_skew_seconds: int = Field(default=5, ge=0, le=60)
    """By how much the issuer's clock and this one's may differ."""
    revocation_grace_seconds: float = Field(default=30, ge=0, le=600)
    """How long tokens already known pass while Redis can't be asked about revocations and limits."""
    maintenance: Literal["off", "reads"] = "off"
    """`reads`: only GET, HEAD and OPTIONS pass."""
    maintenance_retry_after_seconds: int = Field(default=60, ge=1)
    """When a client that was refused for maintenance is told to come back."""
    gateway_processes: int = Field(default=1, ge=1)
    """How many decision processes (pods) share a limit; decides each one's share while Redis is away."""
    health_timeout_seconds: float = Field(default=2.0, gt=0)
    verified_tokens: int = Field(default=50_000, ge=1)
    """How many verified tokens are remembered at most, and as many API keys."""
