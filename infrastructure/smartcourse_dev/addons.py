"""What a cluster has beside Kubernetes itself: metrics-server and Traefik, and beside a SmartCourse a mailbox."""

from __future__ import annotations

import time
import urllib.error
from string import Template

from smartcourse_dev import catalogue, definitions, images
from smartcourse_dev.catalogue import Source
from smartcourse_dev.cluster import FILES, INGRESS_NODE_PORT
from smartcourse_dev.kubectl import Kubectl
from smartcourse_dev.registry import direct
from smartcourse_dev.settings import Settings
from smartcourse_dev.shell import Log, StepError

MAIL_NAMESPACE = "smartcourse-mail"
SMTP_URL = f"smtp://mailbox.{MAIL_NAMESPACE}.svc:1025"
MAILBOX_PATH = "/_mailbox/"
# Manifest -> namespace; what to wait for is the Deployment of the same name.
NAMESPACES = {"metrics-server": "kube-system", "traefik": "traefik", "mailbox": MAIL_NAMESPACE}
# Those that every cluster has; the mailbox comes with a SmartCourse, for its image is built as the services' are.
ADDONS = ("metrics-server", "traefik")
DEFINED_BY = {"traefik": definitions.TRAEFIK}
TIMEOUT = "180s"
INGRESS_TIMEOUT_SECONDS = 90


def manifest(name: str, source: Source) -> str:
    text = (FILES / f"{name}.yaml").read_text(encoding="utf-8")
    image = images.reference(name, source) if name in images.TOOLS else catalogue.reference(name, source)
    return Template(text).substitute(IMAGE=image, NODE_PORT=INGRESS_NODE_PORT)


def install(name: str, settings: Settings, source: Source, log: Log) -> None:
    kubectl = Kubectl(settings.context)
    if name in DEFINED_BY:
        kubectl.apply(log, DEFINED_BY[name].path.read_text(encoding="utf-8"))
    kubectl.apply(log, manifest(name, source))
    wait = ("rollout", "status", f"deployment/{name}", f"--timeout={TIMEOUT}")
    with kubectl.explaining(log, NAMESPACES[name], name):
        kubectl.run(log, "--namespace", NAMESPACES[name], *wait)


def announce_registry(settings: Settings, log: Log) -> None:
    """Tell Skaffold and Tilt where to push what they build."""
    Kubectl(settings.context).apply(log, (FILES / "local-registry.yaml").read_text(encoding="utf-8"))


def wait_for_ingress(settings: Settings, log: Log) -> None:
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
        log.wait(0.5)


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
    kubectl = Kubectl(settings.context)
    with kubectl.explaining(log, "kube-system", "coredns"):
        kubectl.run(
            log, "--namespace", "kube-system", "rollout", "status", "deployment/coredns", f"--timeout={TIMEOUT}"
        )
