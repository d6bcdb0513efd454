"""Every image that is not ours: where it comes from upstream, and what stands in for it where no registry answers."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from enum import StrEnum

from smartcourse_dev import golang
from smartcourse_dev.registry import HOST

PROBE = "https://registry-1.docker.io/v2/"
PROBE_TIMEOUT_SECONDS = 5
PAUSE_TAG = "3.10.2"
UNAUTHORIZED = 401


class Source(StrEnum):
    UPSTREAM = "upstream"
    OFFLINE = "offline"


@dataclass(frozen=True)
class Image:
    """Where one image comes from.

    Attributes:
        upstream: the upstream reference; "" for what only an assembled cluster needs.
        offline: name and tag under `smartcourse.local`.
    """

    upstream: str
    offline: str

    def reference(self, source: Source) -> str:
        return self.upstream if source is Source.UPSTREAM else f"{HOST}/{self.offline}"


KUBERNETES = golang.KUBERNETES_VERSION
PROVISIONER = golang.version("local-path-provisioner", "github.com/rancher/local-path-provisioner")
IMAGES = {
    "node": Image(f"kindest/node:{KUBERNETES}", f"node:{KUBERNETES}"),
    "registry": Image(
        "registry:3", f"registry:{golang.version('registry', 'github.com/distribution/distribution/v3')}"
    ),
    "metrics-server": Image(
        "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
        f"metrics-server:{golang.version('metrics-server', 'sigs.k8s.io/metrics-server')}",
    ),
    "traefik": Image("traefik:v3.7.15", "traefik:v3.7.15"),
    "python": Image("python:3.11-slim", "python:3.11"),
    "helm": Image("alpine/helm:4.3.1", f"helm:{golang.version('helm', 'helm.sh/helm/v4')}"),
    "postgres": Image("postgres:15-alpine", "postgres:15"),
    "mongodb": Image("mongo:7", "secantusdb:0.7.0b3"),
    "redis": Image("redis:7-alpine", "redis:7"),
    # What an assembled node pulls in place of registry.k8s.io's.
    "base": Image("", "base:12"),
    "pause": Image("", f"pause:{PAUSE_TAG}"),
    "etcd": Image("", f"etcd:{golang.version('etcd', 'go.etcd.io/etcd/server/v3')}"),
    "coredns": Image("", f"coredns:{golang.version('coredns', 'github.com/coredns/coredns')}"),
    "kube-apiserver": Image("", f"kube-apiserver:{KUBERNETES}"),
    "kube-controller-manager": Image("", f"kube-controller-manager:{KUBERNETES}"),
    "kube-scheduler": Image("", f"kube-scheduler:{KUBERNETES}"),
    "kube-proxy": Image("", f"kube-proxy:{KUBERNETES}"),
    "local-path-provisioner": Image("", f"local-path-provisioner:{PROVISIONER}"),
}
# Where `helm` lies in each helm image.
HELM_PATHS = {Source.UPSTREAM: "/usr/bin/helm", Source.OFFLINE: "/helm"}


def reference(name: str, source: Source) -> str:
    return IMAGES[name].reference(source)


def bookworm(source: Source) -> str:
    """Return Python on Debian 12, whose PostgreSQL is of the databases' major version."""
    return "python:3.11-slim-bookworm" if source is Source.UPSTREAM else reference("python", source)


def registry_answers() -> bool:
    """Whether an upstream image registry can be reached (it answers 401 to a visitor without a token)."""
    try:
        with urllib.request.urlopen(PROBE, timeout=PROBE_TIMEOUT_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        return error.code == UNAUTHORIZED
    except OSError:
        return False


def choose(wanted: str) -> Source:
    """Return the source that IMAGES names; when it names none, upstream where a registry answers."""
    if wanted:
        return Source(wanted)
    return Source.UPSTREAM if registry_answers() else Source.OFFLINE
