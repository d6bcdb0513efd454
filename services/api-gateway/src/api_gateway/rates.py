"""The rate classes: how many requests a minute pass, counted by whom. One process counts, the other one tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Self

from api_gateway.config import RateSettings

WINDOW_SECONDS: Final = 60
Per = Literal["user", "address"]


@dataclass(frozen=True, slots=True)
class Policy:
    """A limit: its name in the headers, permits a minute, and whether each request asks Redis."""

    name: str
    limit: int
    is_exact: bool = False

    @property
    def block(self) -> int:
        """The most permits that are leased at once."""
        return 1 if self.is_exact else max(1, self.limit // 10)

    @property
    def header(self) -> str:
        """The `RateLimit-Policy` header's value (draft-ietf-httpapi-ratelimit-headers)."""
        return f'"{self.name}";q={self.limit};w={WINDOW_SECONDS}'


class Counted(NamedTuple):
    """A class that a route's requests can count in, and by whom."""

    rate: str
    policy: Policy
    per: Per


@dataclass(frozen=True, slots=True)
class Policies:
    """The limits of the rate classes."""

    default: Policy
    public: Policy
    login: Policy
    heavy: Policy

    @classmethod
    def of(cls, settings: RateSettings) -> Self:
        """Return the limits that are set."""
        return cls(
            default=Policy("user", settings.rate_limit_default_per_minute),
            public=Policy("public", settings.rate_limit_public_per_minute),
            login=Policy("login", settings.rate_limit_login_per_minute, is_exact=True),
            heavy=Policy("heavy", settings.rate_limit_heavy_per_minute),
        )

    def of_route(self, rate: str, *, reads_token: bool, is_public: bool) -> list[Counted]:
        """Return what a route of this class counts in: for a person who is known, then for anybody else."""
        if rate == "login":
            return [Counted("login", self.login, "address")]
        if rate == "heavy":
            known, other = Counted("heavy", self.heavy, "user"), Counted("heavy", self.heavy, "address")
        else:
            known, other = Counted("default", self.default, "user"), Counted("public", self.public, "address")
        return [known] * reads_token + [other] * is_public
