"""What the generated Secrets hold. Pure but for the source of randomness, which is given.

A value that exists is never replaced: databases were initialised with it. Only the place named in a URL (host, port,
options) follows the resource, its user and password stay.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from smartcourse_operator.core import names, vapid
from smartcourse_operator.core.spec import DatabaseMode, SmartCourseSpec

Contents = Mapping[str, str]
Generate = Callable[[], str]

DATABASE = "smartcourse"
ADMIN_EMAIL = "admin@smartcourse.example"
MINIMUM_BYTES = 32
"""What a service demands of a key for signing."""


def generate() -> str:
    """Return 256 bits of randomness in characters that need no quoting in a URL."""
    return secrets.token_urlsafe(32)


class SecretError(Exception):
    """A Secret cannot be used."""

    reason: ClassVar[str]

    def __init__(self, secret: str, message: str) -> None:
        super().__init__(message)
        self.secret = secret


class SecretMissingError(SecretError):
    """A Secret that the resource names is not there, or lacks a key."""

    reason = "SecretMissing"

    def __init__(self, secret: str, key: str) -> None:
        super().__init__(secret, f"the Secret {secret} with the key {key} is needed and was not found; create it")


class CertificateAwaitedError(SecretError):
    """A certificate that was asked for has not been issued yet."""

    reason = "CertificateAwaited"

    def __init__(self, secret: str, issuer: str) -> None:
        super().__init__(
            secret,
            f"cert-manager's {issuer} has not issued the certificate for the Secret {secret} yet; `kubectl describe "
            f"certificate {secret}` says why, and where there is no such Certificate cert-manager is not installed",
        )


class SecretLostError(SecretError):
    """A generated value is gone with which something was initialised that is still there."""

    reason = "SecretLost"

    def __init__(self, secret: str, key: str) -> None:
        super().__init__(
            secret,
            f"the Secret {secret} with the key {key} is gone, and data was initialised with it: a new value would not "
            "fit; create it again with the old value (docs/runbooks/not-ready.md says where that may still be found)",
        )


class SecretInvalidError(SecretError):
    """A Secret holds something unusable; its value is not repeated."""

    reason = "SecretInvalid"

    def __init__(self, secret: str, key: str, problem: str) -> None:
        super().__init__(secret, f"the key {key} of the Secret {secret} {problem}")


class SecretTakenError(SecretError):
    """A Secret of the name that is needed belongs to another SmartCourse."""

    reason = "NameTaken"

    def __init__(self, secret: str, owner: str) -> None:
        super().__init__(
            secret, f"the Secret {secret} belongs to the SmartCourse {owner}; choose another name for this one"
        )


@dataclass(frozen=True)
class Place:
    """Where a server is: a URL without user and password."""

    scheme: str
    address: str
    path: str
    query: str = ""

    @classmethod
    def of(cls, url: str, *, secret: str, key: str, schemes: tuple[str, ...]) -> Place:
        """Take the place from an administrator's URL.

        Raises:
            SecretInvalidError: it is not a URL of such a scheme with a host.
        """
        try:
            parts = urlsplit(url.strip())
        except ValueError as error:
            raise SecretInvalidError(secret, key, "is not a URL") from error
        address = parts.netloc.rpartition("@")[2]
        if parts.scheme not in schemes or not address:
            raise SecretInvalidError(secret, key, f"is not a URL of the form {schemes[0]}://user:password@host:port/…")
        return cls(parts.scheme, address, parts.path, parts.query)

    def url(self, user: str, password: str) -> str:
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@"
        return urlunsplit((self.scheme, login + self.address, self.path, self.query, ""))

    def moved(self, url: str) -> str:
        """Return `url` with its user and password at this place."""
        login = urlsplit(url).netloc.rpartition("@")[0]
        return urlunsplit((self.scheme, f"{login}@{self.address}", self.path, self.query, ""))


def postgres_place(name: str, admin_url: str | None, secret: str = "") -> Place:
    if admin_url is None:
        return Place("postgresql", f"{name}-postgres:5432", f"/{DATABASE}")
    place = Place.of(admin_url, secret=secret, key="admin-url", schemes=("postgresql", "postgres"))
    return Place("postgresql", place.address, f"/{DATABASE}", place.query)


def mongodb_place(name: str, admin_url: str | None, secret: str = "") -> Place:
    if admin_url is None:
        return Place("mongodb", f"{name}-mongodb:27017", f"/{DATABASE}", "authSource=admin")
    place = Place.of(admin_url, secret=secret, key="admin-url", schemes=("mongodb", "mongodb+srv"))
    options = {**dict(parse_qsl(place.query)), "authSource": "admin"}
    return Place(place.scheme, place.address, f"/{DATABASE}", urlencode(options))


@dataclass(frozen=True)
class Login:
    """A Secret that holds one user's password and the URL made of it."""

    user: str
    place: Place
    password_key: str = "password"  # noqa: S105 - the name of a key
    url_key: str = "url"

    def complete(self, existing: Contents, generate: Generate) -> dict[str, str]:
        password = existing.get(self.password_key) or generate()
        url = existing.get(self.url_key)
        url = self.place.moved(url) if url else self.place.url(self.user, password)
        return {**existing, self.password_key: password, self.url_key: url}


SPARE_PASSWORD = "spare-password"  # noqa: S105 - the name of a key
"""In a login's Secret while its password is rotated: what the user that is not in use logs in with."""


USERS: dict[str, tuple[str, str]] = {
    **{f"{service}-db": (f"{service}_a", f"{service}_b") for service in names.SERVICES},
    "course-mongodb": ("course", "course_b"),
    "redis": ("default", "default_b"),
}
"""By a Secret's suffix, the two users that its login alternates between, beginning with the first."""


def idle_user(users: tuple[str, str], url: str) -> str | None:
    """Return the one of two users that a URL does not log in with, None if it logs in with neither."""
    used = urlsplit(url).username or "default"  # Redis's name for who gives none
    return users[1 - users.index(used)] if used in users else None


@dataclass(frozen=True)
class Values:
    """A Secret of independent values: fixed ones, or None for one to generate."""

    keys: tuple[tuple[str, str | None], ...]

    def complete(self, existing: Contents, generate: Generate) -> dict[str, str]:
        return {**existing, **{key: existing.get(key) or fixed or generate() for key, fixed in self.keys}}


@dataclass(frozen=True)
class PushKeys:
    """A Secret of the key that push messages are signed with, and of the public one that belongs to it."""

    secret: str

    def complete(self, existing: Contents, generate: Generate) -> dict[str, str]:
        private = existing.get("private-key") or vapid.private_key(generate())
        public = existing.get("public-key") or self._public_key(private)
        return {**existing, "private-key": private, "public-key": public}

    def _public_key(self, private: str) -> str:
        try:
            return vapid.public_key(private)
        except ValueError as error:
            problem = "is not a private key of P-256, 32 bytes in base64url"
            raise SecretInvalidError(self.secret, "private-key", problem) from error


IRREPLACEABLE = {"admin": "password", "postgres": "password", "mongodb": "root-password"}
"""By suffix, the key that data is initialised with once; the other Secrets' values are set anew where they are used."""

Wanted = Login | Values | PushKeys
Plan = dict[str, Wanted]
"""What to make, by the name's suffix."""


def plan(name: str, spec: SmartCourseSpec, *, postgres_admin_url: str | None, mongodb_admin_url: str | None) -> Plan:
    """Return the Secrets that the operator makes for `spec`; the URLs are those of external servers."""
    databases = spec.databases
    postgres = postgres_place(name, postgres_admin_url, databases.postgres.secret_name or "")
    mongodb = mongodb_place(name, mongodb_admin_url, databases.mongodb.secret_name or "")
    made: Plan = {"admin": Values((("email", ADMIN_EMAIL), ("password", None)))}
    if not spec.auth.secret_name:
        made["auth"] = Values((("jwt-secret", None), ("identity-key", None)))
    if not spec.push.secret_name:
        made["push"] = PushKeys(f"{name}-push")
    if spec.backup and not spec.backup.encryption_secret_name:
        made["backup"] = Values((("password", None),))
    for service in names.SERVICES:
        made[f"{service}-db"] = Login(USERS[f"{service}-db"][0], postgres)
    made["course-mongodb"] = Login(USERS["course-mongodb"][0], mongodb)
    if databases.postgres.mode is DatabaseMode.EMBEDDED:
        place = Place("postgresql", postgres.address, "/postgres")
        made["postgres"] = Login("postgres", place, url_key="admin-url")
    if databases.mongodb.mode is DatabaseMode.EMBEDDED:
        place = Place("mongodb", mongodb.address, "/admin", "authSource=admin")
        made["mongodb"] = Login("root", place, password_key="root-password", url_key="admin-url")  # noqa: S106 - a key's name
    if databases.redis.mode is DatabaseMode.EMBEDDED:
        made["redis"] = Login("", Place("redis", f"{name}-redis:6379", "/0"))
        made["redis-admin"] = Values((("password", None),))
    return made


READ_BY: dict[str, tuple[str, ...]] = {
    "auth": ("auth",),
    "postgres": tuple(f"{service}-db" for service in names.SERVICES),
    "mongodb": ("course-mongodb",),
    "redis": ("redis",),
    "redis-admin": ("redis-admin",),
    "email": ("smtp",),
    "push": ("push",),
    "events": ("kafka",),
}
"""The Secrets whose change must reach the pods, by the chart's key for their digest."""


def digests(contents: Mapping[str, Contents]) -> dict[str, str]:
    """Return a digest by the chart's key, where there is something; `contents` is by the Secret's suffix."""
    found = {key: [contents[suffix] for suffix in suffixes if suffix in contents] for key, suffixes in READ_BY.items()}
    return {key: digest(present) for key, present in found.items() if present}


def digest(contents: list[Contents]) -> str:
    text = "\0".join(f"{key}\0{value}" for secret in contents for key, value in sorted(secret.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
