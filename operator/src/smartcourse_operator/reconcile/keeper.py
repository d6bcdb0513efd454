"""Keeping the generated Secrets: made when absent, completed when a key is missing, never overwritten."""

from __future__ import annotations

import base64
from typing import Any

from smartcourse_operator import secrets
from smartcourse_operator.adapters.cluster import Cluster
from smartcourse_operator.core import credentials, names
from smartcourse_operator.core.objects import SECRET, Document, labels
from smartcourse_operator.core.spec import DatabaseMode, SmartCourseSpec

ENCODED = "data"


def decode(secret: Document) -> dict[str, str]:
    found: dict[str, str] = secret.get(ENCODED) or {}
    return {key: base64.b64decode(value).decode("utf-8", errors="replace") for key, value in found.items()}


def encode(contents: credentials.Contents) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in contents.items()}


class SecretKeeper:
    """The Secrets of SmartCourses. Values pass through and are never logged."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def keep(self, name: str, namespace: str, spec: SmartCourseSpec) -> dict[str, str]:
        """Make what is missing; return digests of what the pods read, by the chart's key.

        Raises:
            SecretMissingError, SecretInvalidError: a Secret that the resource names cannot be used.
            SecretTakenError: a name is in use by another SmartCourse.
        """
        plan = credentials.plan(
            name,
            spec,
            postgres_admin_url=await self._external(namespace, spec.databases.postgres, "admin-url"),
            mongodb_admin_url=await self._external(namespace, spec.databases.mongodb, "admin-url"),
        )
        contents: dict[str, credentials.Contents] = {
            suffix: await self._ensure(name, namespace, suffix, secret) for suffix, secret in plan.items()
        }
        if redis := spec.databases.redis.secret_name:
            contents["redis"] = {"url": await self._demand(namespace, redis, "url")}
        if auth := spec.auth.secret_name:
            contents["auth"] = {
                key: await self._signing_key(namespace, auth, key) for key in ("jwt-secret", "identity-key")
            }
        return credentials.digests(contents)

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
        found = await self._cluster.find(SECRET, namespace, secret)
        value = decode(found).get(key) if found else None
        if not value:
            raise credentials.SecretMissingError(secret, key)
        return value

    async def _ensure(
        self, name: str, namespace: str, suffix: str, wanted: credentials.Login | credentials.Values
    ) -> dict[str, str]:
        full_name = f"{name}-{suffix}"
        found = await self._cluster.find(SECRET, namespace, full_name)
        if found is None:
            contents = wanted.complete({}, credentials.generate)
            await self._cluster.create(SECRET, secrets.manifest(name, namespace, suffix, contents))
            return contents
        owner = labels(found).get(names.LABEL_INSTANCE, name)
        if owner != name:
            raise credentials.SecretTakenError(full_name, owner)
        existing = decode(found)
        contents = wanted.complete(existing, credentials.generate)
        if added := {key: value for key, value in contents.items() if existing.get(key) != value}:
            await self._cluster.merge(SECRET, namespace, full_name, {ENCODED: encode(added)})
        return contents

    async def discard(self, name: str, namespace: str) -> None:
        """Delete the Secrets that were generated for a SmartCourse; what people made themselves stays."""
        for suffix in ("admin", "auth", *(f"{s}-db" for s in names.SERVICES), "course-mongodb", *names.DATASTORES):
            found = await self._cluster.find(SECRET, namespace, f"{name}-{suffix}")
            ours = {names.LABEL_INSTANCE: name, names.LABEL_MANAGED_BY: names.OPERATOR}
            if found and ours.items() <= labels(found).items():
                await self._cluster.delete(SECRET, namespace, f"{name}-{suffix}")
