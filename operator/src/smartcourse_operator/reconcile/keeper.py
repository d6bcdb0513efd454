"""Keeping the generated Secrets: made when absent, completed when a key is missing, never overwritten."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from smartcourse_operator import secrets
from smartcourse_operator.adapters.cluster import Cluster
from smartcourse_operator.core import credentials, names
from smartcourse_operator.core.objects import SECRET, Document, labels
from smartcourse_operator.core.spec import DatabaseMode, SmartCourseSpec

ENCODED = "data"
OWN = ("admin", "auth", "push", "backup")
TLS_KEYS = ("tls.crt", "tls.key")
KAFKA_KEYS = ("bootstrap-servers",)
KAFKA_CA = "ca.crt"
KAFKA_OPTIONAL_KEYS = ("username", "password", "security", "sasl-mechanism", KAFKA_CA)


@dataclass(frozen=True)
class Kept:
    """What the chart has to know of the Secrets: digests of what the pods read, by its keys, and if Kafka has a CA.

    `contents` is what the generated ones hold and `metadata` what the API server says of them, by suffix.
    """

    digests: dict[str, str]
    has_kafka_ca: bool
    contents: dict[str, credentials.Contents] = field(repr=False)
    metadata: dict[str, Document] = field(repr=False)

    def logins(self) -> dict[str, Document]:
        """Return by service which of its roles it logs in with, and if the other has a password too."""
        found = {service: self.contents[f"{service}-db"] for service in names.SERVICES}
        return {
            service: {"role": self._role(f"{service}-db"), "spare": credentials.SPARE_PASSWORD in secret}
            for service, secret in found.items()
        }

    def _role(self, suffix: str) -> str:
        first = credentials.USERS[suffix][0]
        return "b" if credentials.idle_user(credentials.USERS[suffix], self.contents[suffix]["url"]) == first else "a"


def decode(secret: Document) -> dict[str, str]:
    found: dict[str, str] = secret.get(ENCODED) or {}
    return {key: base64.b64decode(value).decode("utf-8", errors="replace") for key, value in found.items()}


def encode(contents: credentials.Contents) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in contents.items()}


class SecretKeeper:
    """The Secrets of SmartCourses. Values pass through and are never logged."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def keep(self, name: str, namespace: str, spec: SmartCourseSpec, *, is_initialised: bool) -> Kept:
        """Make what is missing, and read what people have made.

        Raises:
            SecretMissingError, SecretInvalidError: a Secret that the resource names cannot be used.
            SecretLostError: the data is initialised, and the value that it was initialised with is not there.
            SecretTakenError: a name is in use by another SmartCourse.
        """
        plan = credentials.plan(
            name,
            spec,
            postgres_admin_url=await self._external(namespace, spec.databases.postgres, "admin-url"),
            mongodb_admin_url=await self._external(namespace, spec.databases.mongodb, "admin-url"),
        )
        needed = credentials.IRREPLACEABLE if is_initialised else {}
        kept: dict[str, credentials.Contents] = {}
        metadata: dict[str, Document] = {}
        for suffix, secret in plan.items():
            kept[suffix], metadata[suffix] = await self._ensure(
                name, namespace, suffix, secret, needed=needed.get(suffix)
            )
        contents = {**kept, **await self._outside(name, namespace, spec)}
        has_kafka_ca = KAFKA_CA in contents.get("kafka", {})
        return Kept(credentials.digests(contents), has_kafka_ca, contents=kept, metadata=metadata)

    async def check_tls(self, namespace: str, spec: SmartCourseSpec) -> None:
        """See that the route's certificate is there: without it the ingress controller would serve one of its own.

        Raises:
            SecretMissingError: it is not there, or not whole.
            CertificateAwaitedError: the same, and cert-manager is to make it.
        """
        tls = spec.route.tls
        if tls is None:
            return
        try:
            await self._read(namespace, tls.secret_name, *TLS_KEYS)
        except credentials.SecretMissingError as error:
            if tls.issuer is None:
                raise
            issuer = f"{tls.issuer.kind} {tls.issuer.name}"
            raise credentials.CertificateAwaitedError(tls.secret_name, issuer) from error

    async def _outside(self, name: str, namespace: str, spec: SmartCourseSpec) -> dict[str, credentials.Contents]:
        """Return what is read of the Secrets that people made, by the chart's key."""
        found: dict[str, credentials.Contents] = {}
        if redis := spec.databases.redis.secret_name:
            found["redis"] = await self._read(namespace, redis, "url")
        if auth := spec.auth.secret_name:
            found["auth"] = {
                key: await self._signing_key(namespace, auth, key) for key in ("jwt-secret", "identity-key")
            } | await self._read(namespace, auth, optional=("jwt-secret-previous", "identity-key-previous"))
        if push := spec.push.secret_name:
            found["push"] = await self._read(namespace, push, "private-key")
        if kafka := spec.events.kafka_secret_name:
            found["kafka"] = await self._read(namespace, kafka, *KAFKA_KEYS, optional=KAFKA_OPTIONAL_KEYS)
        smtp = spec.email.smtp_secret_name
        if smtp or await self._cluster.find(SECRET, namespace, f"{name}-smtp"):
            found["smtp"] = await self._read(namespace, smtp or f"{name}-smtp", "url")
        return found

    async def _external(self, namespace: str, database: Any, key: str) -> str | None:
        if database.mode is not DatabaseMode.EXTERNAL:
            return None
        return await self._demand(namespace, database.secret_name, key)

    async def _signing_key(self, namespace: str, secret: str, key: str) -> str:
        value = await self._demand(namespace, secret, key)
        if len(value.encode()) < credentials.MINIMUM_BYTES:
            raise credentials.SecretInvalidError(secret, key, f"is shorter than {credentials.MINIMUM_BYTES} bytes")
        return value

    async def _demand(self, namespace: str, secret: str, key: str) -> str:
        return (await self._read(namespace, secret, key))[key]

    async def _read(self, namespace: str, secret: str, *keys: str, optional: tuple[str, ...] = ()) -> dict[str, str]:
        """Return these keys of a Secret, the optional ones if they are there."""
        document = await self._cluster.find(SECRET, namespace, secret)
        found = decode(document) if document else {}
        for key in keys:
            if not found.get(key):
                raise credentials.SecretMissingError(secret, key)
        return {key: found[key] for key in (*keys, *optional) if key in found}

    async def _ensure(
        self, name: str, namespace: str, suffix: str, wanted: credentials.Wanted, *, needed: str | None
    ) -> tuple[dict[str, str], Document]:
        """Return a generated Secret's contents and metadata; a key that is `needed` is not generated."""
        full_name = f"{name}-{suffix}"
        found = await self._cluster.find(SECRET, namespace, full_name)
        if needed and not (found and decode(found).get(needed)):
            raise credentials.SecretLostError(full_name, needed)
        if found is None:
            contents = wanted.complete({}, credentials.generate)
            made = await self._cluster.create(SECRET, secrets.manifest(name, namespace, suffix, contents))
            return contents, made["metadata"]
        owner = labels(found).get(names.LABEL_INSTANCE, name)
        if owner != name:
            raise credentials.SecretTakenError(full_name, owner)
        existing = decode(found)
        contents = wanted.complete(existing, credentials.generate)
        if added := {key: value for key, value in contents.items() if existing.get(key) != value}:
            found = await self._cluster.merge(SECRET, namespace, full_name, {ENCODED: encode(added)})
        return contents, found["metadata"]

    async def discard(self, name: str, namespace: str) -> None:
        """Delete the Secrets that were generated for a SmartCourse; what people made themselves stays."""
        for suffix in (*OWN, *(f"{s}-db" for s in names.SERVICES), "course-mongodb", "redis-admin", *names.DATASTORES):
            found = await self._cluster.find(SECRET, namespace, f"{name}-{suffix}")
            ours = {names.LABEL_INSTANCE: name, names.LABEL_MANAGED_BY: names.OPERATOR}
            if found and ours.items() <= labels(found).items():
                await self._cluster.delete(SECRET, namespace, f"{name}-{suffix}")
