"""What every cluster has beside Kubernetes itself: metrics-server and Traefik."""

from __future__ import annotations

import time
import urllib.error
from string import Template

from smartcourse_dev import catalogue
from smartcourse_dev.catalogue import Source
from smartcourse_dev.cluster import FILES, INGRESS_NODE_PORT
from smartcourse_dev.kubectl import Kubectl
from smartcourse_dev.registry import direct
from smartcourse_dev.settings import Settings
from smartcourse_dev.shell import Log, StepError

# Manifest -> what to wait for.
ADDONS = {"metrics-server": ("kube-system", "deployment/metrics-server"), "traefik": ("traefik", "deployment/traefik")}
TIMEOUT = "180s"
INGRESS_TIMEOUT_SECONDS = 90


def manifest(name: str, source: Source) -> str:
    text = (FILES / f"{name}.yaml").read_text(encoding="utf-8")
    return Template(text).substitute(IMAGE=catalogue.reference(name, source), NODE_PORT=INGRESS_NODE_PORT)


def install(name: str, settings: Settings, source: Source, log: Log) -> None:
    namespace, workload = ADDONS[name]
    kubectl = Kubectl(settings.context)
    kubectl.apply(log, manifest(name, source))
    kubectl.run(log, "--namespace", namespace, "rollout", "status", workload, f"--timeout={TIMEOUT}")


def wait_for_ingress(settings: Settings, _: Log) -> None:
    """Wait until the ingress controller answers on the host's port, whatever it says.

    Raises:
        StepError: nothing answers; after a restart, pods' old status would still have called it ready.
    """
    url = f"http://127.0.0.1:{settings.http_port}/"
    until = time.monotonic() + INGRESS_TIMEOUT_SECONDS
    while not answers(url):
        if time.monotonic() > until:
            raise StepError(
                f"{url} does not answer within {INGRESS_TIMEOUT_SECONDS} s",
                remedy="see `kubectl --namespace traefik get pods` and whether another program has the port",
            )
        time.sleep(0.5)


def answers(url: str) -> bool:
    """Whether an HTTP server answers at `url`, with any status."""
    try:
        with direct.open(url, timeout=3):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def wait_for_dns(settings: Settings, log: Log) -> None:
    Kubectl(settings.context).run(
        log, "--namespace", "kube-system", "rollout", "status", "deployment/coredns", f"--timeout={TIMEOUT}"
    )
