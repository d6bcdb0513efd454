"""The Kubernetes API as the plugin uses it: plain documents in and out, with whatever the kubeconfig says."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import config as kubernetes_config
from kubernetes.client import ApiClient, Configuration

from smartcourse_kubectl.errors import PluginError
from smartcourse_operator.core.objects import Document, Kind

CONNECT_SECONDS = 10
READ_SECONDS = 30
RETRIES = urllib3.Retry(total=2, backoff_factor=0.3, allowed_methods={"GET"}, status_forcelist={429, 502, 503, 504},
                        raise_on_status=False)  # fmt: skip
FIELD_MANAGER = "kubectl-smartcourse"
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
NAMESPACE = Kind("v1", "Namespace", "namespaces")


class ApiError(PluginError):
    """The API server refused a request, or could not be reached (status 0)."""

    def __init__(self, status: int, message: str, *, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


def path_of(kind: Kind, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """Return the path of an object or of a list; without a namespace that of all, or of a kind that has none."""
    within = ["namespaces", namespace] if namespace else []
    return "/".join(part for part in (kind.prefix, *within, kind.plural, quote(name, safe=""), subresource) if part)


class Cluster:
    """Reads and writes of documents in the cluster of one context."""

    def __init__(self, client: ApiClient, *, context: str, namespace: str) -> None:
        self._client = client
        self.context = context
        self.namespace = namespace

    def find(self, kind: Kind, namespace: str, name: str) -> Document | None:
        """Return an object, None if there is none."""
        try:
            found = self._json("GET", path_of(kind, namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return {"apiVersion": kind.api_version, "kind": kind.kind, **found}

    def select(self, kind: Kind, namespace: str = "", selector: str = "") -> list[Document] | None:
        """Return the objects of a kind that a label selector matches; None where the cluster lacks the kind."""
        try:
            found = self._json("GET", path_of(kind, namespace), {"labelSelector": selector} if selector else {})
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in found.get("items") or ()]

    def merge(self, kind: Kind, namespace: str, name: str, patch: Document) -> Document:
        """Merge `patch` into an object; a field that the cluster's definition lacks is refused, not dropped."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return self._json("PATCH", path_of(kind, namespace, name), query, patch, MERGE_PATCH)

    def create(self, kind: Kind, document: Document) -> Document:
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return self._json("POST", path_of(kind, document["metadata"]["namespace"]), query, document)

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Return what the API answers to a GET, as it is."""
        data: bytes = self._send("GET", path, query or {}, None, JSON).data
        return data.decode(errors="replace")

    def lines(self, path: str, query: Mapping[str, str]) -> Iterator[str]:
        """Yield the lines of an answer as they come, for as long as the server sends."""
        answer = self._send("GET", path, query, None, JSON, timeout=(CONNECT_SECONDS, None))
        rest = b""
        try:
            for chunk in answer.stream(None):
                *whole, rest = (rest + chunk).split(b"\n")
                yield from (line.decode(errors="replace") for line in whole)
            if rest:
                yield rest.decode(errors="replace")
        except urllib3.exceptions.HTTPError:
            return  # the connection has ended: what followed it is asked for anew
        finally:
            answer.close()

    def _json(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Document | None = None,
        content_type: str = JSON,
    ) -> Document:
        found: Document = json.loads(self._send(method, path, query or {}, body, content_type).data)
        return found

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Document | None,
        content_type: str,
        *,
        timeout: tuple[float, float | None] = (CONNECT_SECONDS, READ_SECONDS),
    ) -> Any:
        """Return urllib3's response.

        Raises:
            ApiError: with the API's own words, and the remedy where there is one.
        """
        headers = {"Accept": JSON, "Content-Type": content_type}
        self._client.update_params_for_auth(headers, {}, ["BearerToken"], path, method, body)
        url = self._client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        try:
            answer = self._client.call_api(
                method, url, header_params=headers, body=body, _request_timeout=timeout
            ).response
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(
                0,
                f"The cluster of context {self.context} does not answer at {self._client.configuration.host}: "
                f"{getattr(error, 'reason', None) or error}",
                remedy=f"See whether `kubectl --context {self.context} version` gets an answer.",
            ) from error
        if answer.status >= 300:
            raise refused(answer.status, answer.data.decode(errors="replace"))
        return answer


def refused(status: int, body: str) -> ApiError:
    """Return the error for an answer of the API server, in its words."""
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = f"{status} {body.strip()[:500]}"
    remedies = {
        401: "The kubeconfig's credentials are not accepted: log in again.",
        403: "Ask who administers the cluster for this permission; plugin/README.md lists what each command needs.",
    }
    return ApiError(status, message, remedy=remedies.get(status, ""))


def connect(*, kubeconfig: str = "", context: str = "", namespace: str = "") -> Cluster:
    """Return the cluster that kubectl would talk to.

    Raises:
        PluginError: there is no kubeconfig, or no such context in it.
    """
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # a retry is no news
    file = kubeconfig or os.environ.get("KUBECONFIG") or None
    configuration, loader = Configuration(), cast("Any", kubernetes_config)
    configuration.retries = RETRIES
    try:
        contexts, current = loader.list_kube_config_contexts(config_file=file)
        loader.load_kube_config(config_file=file, context=context or None, client_configuration=configuration)
    except kubernetes_config.ConfigException as error:
        raise PluginError(
            f"No cluster to talk to: {error}",
            remedy="Give --context or --kubeconfig; `kubectl config get-contexts` lists contexts, `make up` makes one.",
        ) from error
    chosen = next((one for one in contexts if one["name"] == context), current)
    return Cluster(
        ApiClient(configuration),
        context=chosen["name"],
        namespace=namespace or chosen["context"].get("namespace") or "default",
    )
