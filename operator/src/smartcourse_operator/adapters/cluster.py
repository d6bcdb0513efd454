"""The Kubernetes API as the operator uses it: plain documents in and out, few verbs, every call with a timeout.

The official client carries configuration, credentials and connections; its typed models are left out, for the charts
may render any field. Writes go through a fence: without leadership they are refused before they leave the process.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, Configuration

from smartcourse_operator.adapters import metrics
from smartcourse_operator.core import names
from smartcourse_operator.core.objects import Document, Kind

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_SECONDS = 15
ATTEMPTS = 4
RETRIED_STATUS = {429, 500, 502, 503, 504}
FIRST_DELAY_SECONDS = 0.25
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server refused a request, or could not be reached (status 0)."""

    def __init__(self, status: int, request: str, message: str) -> None:
        super().__init__(f"{request}: {status} {message}" if status else f"{request}: {message}")
        self.status = status
        self.message = message

    @property
    def is_lasting(self) -> bool:
        """Whether the same request would be refused again: the object is at fault, not the moment."""
        return self.status in (400, 403, 404, 405, 413, 422)

    @property
    def is_conflict(self) -> bool:
        """Whether somebody else was faster: the object is there already, or is not what the request was made from."""
        return self.status == HTTPStatus.CONFLICT


class NotLeadingError(Exception):
    """A write was about to leave a process that leads no longer."""


async def connect() -> ApiClient:
    """Return a client for the cluster that this process runs in, or for the one of its kubeconfig."""
    configuration, loader = Configuration(), cast("Any", kubernetes_config)
    if (SERVICE_ACCOUNT / "token").exists():
        loader.load_incluster_config(client_configuration=configuration)
    else:
        # Named here, for the library looks at the variable only once, when it is imported.
        await loader.load_kube_config(config_file=os.environ.get("KUBECONFIG"), client_configuration=configuration)
    return ApiClient(configuration)


def path_of(kind: Kind, namespace: str, name: str = "", subresource: str = "") -> str:
    parts = [kind.prefix, "namespaces", namespace, kind.plural, quote(name, safe=""), subresource]
    return "/".join(part for part in parts if part)


class Cluster:
    """Reads and writes of documents."""

    def __init__(
        self,
        client: ApiClient,
        *,
        write_seconds: Callable[[], float] = lambda: TIMEOUT_SECONDS,
        field_manager: str = names.FIELD_MANAGER,
    ) -> None:
        self._client = client
        self._write_seconds = write_seconds
        self._as_manager = {"fieldManager": field_manager}

    async def find(self, kind: Kind, namespace: str, name: str) -> Document | None:
        """Return an object, None if there is none."""
        try:
            found = await self._request("GET", path_of(kind, namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return {"apiVersion": kind.api_version, "kind": kind.kind, **found}

    async def select(self, kind: Kind, namespace: str, selector: str) -> list[Document]:
        """Return the objects of a kind that a label selector matches; none where the cluster lacks the kind."""
        try:
            found = await self._request("GET", path_of(kind, namespace), {"labelSelector": selector})
        except ApiError as error:
            if error.status == 404:
                return []
            raise
        return [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in found.get("items") or ()]

    async def serves(self, kind: Kind) -> bool:
        """Whether the API server knows the kind."""
        try:
            found = await self._request("GET", kind.prefix)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return any(resource["name"] == kind.plural for resource in found.get("resources") or ())

    async def create(self, kind: Kind, document: Document) -> Document:
        namespace = document["metadata"]["namespace"]
        return await self._write("POST", path_of(kind, namespace), self._as_manager, document)

    async def apply(self, kind: Kind, document: Document) -> Document:
        """Apply on the server's side; fields that others hold become ours."""
        path = path_of(kind, document["metadata"]["namespace"], document["metadata"]["name"])
        query = {**self._as_manager, "force": "true"}
        return await self._write("PATCH", path, query, document, APPLY_PATCH)

    async def merge(self, kind: Kind, namespace: str, name: str, patch: Document, *, subresource: str = "") -> Document:
        path = path_of(kind, namespace, name, subresource)
        return await self._write("PATCH", path, self._as_manager, patch, MERGE_PATCH)

    async def amend(self, kind: Kind, namespace: str, name: str, operations: list[Document]) -> Document:
        """Apply a JSON patch."""
        path = path_of(kind, namespace, name)
        return await self._write("PATCH", path, self._as_manager, operations, JSON_PATCH)

    async def replace(self, kind: Kind, document: Document) -> Document:
        path = path_of(kind, document["metadata"]["namespace"], document["metadata"]["name"])
        return await self._write("PUT", path, {}, document)

    async def delete(self, kind: Kind, namespace: str, name: str) -> None:
        """Delete an object and what depends on it; it is no error if it is gone already."""
        try:
            await self._write("DELETE", path_of(kind, namespace, name), {}, {"propagationPolicy": "Background"})
        except ApiError as error:
            if error.status != 404:
                raise

    async def log(self, namespace: str, pod: str, container: str, *, lines: int) -> str:
        """Return the end of a container's log, the one before its restart included; empty if there is none."""
        path = path_of(Kind("v1", "Pod", "pods"), namespace, pod, "log")
        for previous in ("false", "true"):
            query = {"container": container, "tailLines": str(lines), "limitBytes": "4096", "previous": previous}
            try:
                text = await self._send("GET", path, query, None, JSON)
            except ApiError:
                continue  # a log is a help, never a condition
            if text.strip():
                return text
        return ""

    async def _write(
        self, method: str, path: str, query: Mapping[str, str], body: Any, content_type: str = JSON
    ) -> Document:
        seconds = min(TIMEOUT_SECONDS, self._write_seconds())
        if seconds <= 0:
            raise NotLeadingError(f"{method} {path} was not sent: this process does not lead")
        try:
            async with asyncio.timeout(seconds):  # whoever leads next shall not meet a write of ours
                return await self._request(method, path, query, body, content_type)
        except TimeoutError as error:
            raise ApiError(0, f"{method} {path}", f"no answer within {seconds:.0f} s") from error

    async def _request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: Any = None, content_type: str = JSON
    ) -> Document:
        """Send a request; reads are repeated when the server is busy or away, writes are left to the next reconcile."""
        attempts = ATTEMPTS if method == "GET" else 1
        for attempt in range(attempts):
            try:
                found: Document = json.loads(await self._send(method, path, query or {}, body, content_type) or "{}")
            except ApiError as error:
                if (error.status and error.status not in RETRIED_STATUS) or attempt == attempts - 1:
                    raise
                await asyncio.sleep(FIRST_DELAY_SECONDS * 2**attempt)
            else:
                return found
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _send(self, method: str, path: str, query: Mapping[str, str], body: Any, content_type: str) -> str:
        headers = {"Accept": JSON, "Content-Type": content_type}
        if token := await self._client.configuration.get_api_key_with_prefix("BearerToken", alias="authorization"):
            headers["Authorization"] = token
        url = self._client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        request = f"{method} {path}"
        try:
            response: Any = await self._client.call_api(
                method, url, header_params=headers, body=body, _request_timeout=TIMEOUT_SECONDS
            )
            text: str = (await response.read()).decode()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            metrics.API_REQUESTS.labels(method, "unreachable").inc()
            raise ApiError(0, request, f"{type(error).__name__}: {error}") from error
        metrics.API_REQUESTS.labels(method, str(response.status)).inc()
        if response.status >= 300:
            raise ApiError(response.status, request, message_of(text))
        return text


def message_of(body: str) -> str:
    """Return the message of the API's Status object."""
    try:
        return str(json.loads(body).get("message") or body)[:1000]
    except ValueError:
        return body[:1000]
