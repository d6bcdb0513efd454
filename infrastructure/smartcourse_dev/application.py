"""The operator, the sample SmartCourse, and waiting for it to become Ready."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from smartcourse_dev import addons, catalogue, docker, golang, images
from smartcourse_dev.catalogue import Source
from smartcourse_dev.kubectl import Kubectl
from smartcourse_dev.settings import CACHE, ROOT, Settings
from smartcourse_dev.shell import Log, StepError, capture

NAMESPACE = "smartcourse"
SAMPLE = "academy"
OPERATOR = "smartcourse-operator"
OPERATOR_NAMESPACE = "smartcourse-system"
PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
DATASTORES = ("postgres", "mongodb", "redis")
READY_TIMEOUT_SECONDS = 600
CRD_TIMEOUT = "60s"


def helm_program(source: Source, log: Log) -> str:
    """Return Helm: the one that was built, or taken out of the upstream image."""
    if source is Source.OFFLINE:
        return str(golang.output("helm") / "helm")
    reference = catalogue.reference("helm", source)
    target = CACHE / "bin" / f"helm-{reference.rpartition(':')[2]}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        container = capture(*docker.command("create", reference)).strip()
        log.run(*docker.command("cp", f"{container}:{catalogue.HELM_PATHS[source]}", str(target)))
        docker.remove(capture(*docker.command("inspect", "--format", "{{.Name}}", container)).strip().lstrip("/"))
    return str(target)


def operator_values(settings: Settings, source: Source) -> dict[str, Any]:
    """Return the operator chart's values: its image, every component's image, and the URL that leads to the cluster."""
    ours = {component: images.reference(component, source) for component in images.COMPONENTS | images.JOBS}
    operator = ours.pop("operator")
    theirs = {name: catalogue.reference(name, source) for name in DATASTORES}
    return {"image": operator, "images": ours | theirs, "publicUrl": settings.public_url}


def forget_interrupted(kubectl: Kubectl, log: Log) -> None:
    """Delete Helm's record of a release that Helm was killed in: it refuses every other operation until it is gone.

    The objects stay; the upgrade that follows makes them what they should be.
    """
    pending = f"owner=helm,name={OPERATOR},status in ({', '.join(PENDING)})"
    kubectl.run(log, "delete", "secrets", "--namespace", OPERATOR_NAMESPACE, "--selector", pending)


def install_operator(settings: Settings, source: Source, log: Log) -> None:
    """Apply the resource definitions and install or upgrade the operator's release."""
    kubectl = Kubectl(settings.context)
    kubectl.run(log, "apply", "--server-side", "--force-conflicts", "--filename", str(ROOT / "manifests" / "crd"))
    kubectl.run(
        log,
        "wait",
        "--for=condition=Established",
        "--filename",
        str(ROOT / "manifests" / "crd"),
        f"--timeout={CRD_TIMEOUT}",
    )
    forget_interrupted(kubectl, log)
    values = settings.directory / "operator-values.json"
    values.write_text(json.dumps(operator_values(settings, source), indent=2), encoding="utf-8")
    with kubectl.explaining(log, OPERATOR_NAMESPACE, OPERATOR):
        log.run(
            helm_program(source, log), "upgrade", "--install", OPERATOR, str(ROOT / "charts" / OPERATOR),
            "--kube-context", settings.context, "--namespace", OPERATOR_NAMESPACE, "--create-namespace", "--skip-crds",
            "--values", str(values), "--wait", "--timeout", "3m",
        )  # fmt: skip


def mail_secret() -> dict[str, Any]:
    """Return the Secret by which the sample sends its mail to the cluster's mailbox."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{SAMPLE}-smtp", "namespace": NAMESPACE},
        "stringData": {"url": addons.SMTP_URL},
    }


def apply_sample(settings: Settings, log: Log) -> None:
    """Apply the sample as it is committed; whoever named another mail server in its Secret is left alone."""
    kubectl = Kubectl(settings.context)
    kubectl.apply(log, json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}))
    if not kubectl.find("secret", f"{SAMPLE}-smtp", "--namespace", NAMESPACE):
        kubectl.apply(log, json.dumps(mail_secret()))
    kubectl.run(
        log, "apply", "--namespace", NAMESPACE, "--filename", str(ROOT / "manifests" / "samples" / f"{SAMPLE}.yaml")
    )


def conditions(resource: dict[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = resource.get("status", {}).get("conditions", [])
    return found


def is_ready(resource: dict[str, Any]) -> bool:
    """Whether the resource is Ready as it now stands, not as it stood before its last change."""
    seen = resource.get("status", {}).get("observedGeneration") == resource.get("metadata", {}).get("generation")
    return seen and any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions(resource)
    )


def described(resource: dict[str, Any]) -> str:
    """Return where the resource is, in one line: phase, and what Ready says."""
    ready = next((condition for condition in conditions(resource) if condition["type"] == "Ready"), {})
    phase = resource.get("status", {}).get("phase", "not seen by the operator yet")
    return f"{phase}: {ready.get('message') or ready.get('reason') or 'no condition yet'}"


def behind(deployments: list[dict[str, Any]], wanted: dict[str, str]) -> str:
    """Return the first component that does not yet run its wanted image everywhere, "" when all do.

    Ready alone would not tell: until the operator looks again, it still speaks of the images before.
    """
    found = {item["metadata"]["name"]: item for item in deployments}
    for component, image in wanted.items():
        item = found.get(f"{SAMPLE}-{component}", {"spec": {}, "metadata": {}})
        pod = item["spec"].get("template", {}).get("spec", {})
        images_run = {container["image"] for container in pod.get("containers", [])}
        status, replicas = item.get("status", {}), item["spec"].get("replicas", 1)
        seen = status.get("observedGeneration", -1) == item["metadata"].get("generation")
        counts = (status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas"))
        if image not in images_run or not seen or any(count != replicas for count in counts):
            return component
    return ""


def overridden(resource: dict[str, Any]) -> bool:
    """Whether the resource itself says what to run, so that the operator's images don't decide."""
    spec = resource.get("spec", {})
    return bool(spec.get("images") or spec.get("paused"))


def progress_of(resource: dict[str, Any], deployments: list[dict[str, Any]], wanted: dict[str, str]) -> str:
    """Return what is still waited for, "" when the resource is Ready with the wanted images."""
    if not is_ready(resource):
        return described(resource)
    late = "" if overridden(resource) else behind(deployments, wanted)
    return f"services: {late} does not run its new image yet" if late else ""


def wait_until_ready(settings: Settings, source: Source, log: Log) -> None:
    """Wait for the sample's Ready condition with today's images, telling each change.

    Raises:
        StepError: it is not Ready in time; the message holds its conditions, the log pods and events.
    """
    kubectl = Kubectl(settings.context)
    until = time.monotonic() + READY_TIMEOUT_SECONDS
    told = ""
    wanted = {name: images.reference(name, source) for name in images.COMPONENTS if name != "operator"}
    while True:
        resource = kubectl.find("smartcourse", SAMPLE, "--namespace", NAMESPACE) or {}
        deployments = (kubectl.find("deployments", "--namespace", NAMESPACE) or {}).get("items", [])
        now = progress_of(resource, deployments, wanted)
        if not now:
            return
        if now != told:
            log.tell(now)
            told = now
        if time.monotonic() > until:
            break
        log.wait(1)
    kubectl.explain(log, NAMESPACE, f"{SAMPLE}-gateway")
    kubectl.explain(log, OPERATOR_NAMESPACE, OPERATOR)
    shown = "; ".join(
        f"{c['type']}={c['status']} {c.get('reason', '')}: {c.get('message', '')}" for c in conditions(resource)
    )
    raise StepError(
        f"{SAMPLE} is not Ready after {READY_TIMEOUT_SECONDS} s. {shown or told}",
        remedy=f"see `kubectl -n {NAMESPACE} describe smc {SAMPLE}` and the pods and events in the log",
    )


def show_next_steps(settings: Settings, console: Console) -> None:
    resource = Kubectl(settings.context).find("smartcourse", SAMPLE, "--namespace", NAMESPACE) or {}
    url = str(resource.get("status", {}).get("url") or settings.public_url).rstrip("/")
    kubectl = (
        "kubectl"
        if Path(shutil.which("kubectl") or "").name == "kubectl"
        else str(golang.output("kubernetes") / "kubectl")
    )
    secret = f"{kubectl} --context {settings.context} --namespace {NAMESPACE} get secret {SAMPLE}-admin"
    console.print(
        f"""
SmartCourse is Ready: {url}   (documentation of its API: {url}/docs)

Administrator's login:
  {secret} --output 'go-template={{{{.data.email | base64decode}}}} {{{{.data.password | base64decode}}}}{{{{"\\n"}}}}'

To try:
  curl {url}/health
  curl {url}/api/courses
  curl -X POST {url}/api/auth/register -H 'Content-Type: application/json' \\
    -d '{{"email": "you@example.com", "password": "correct horse battery", "full_name": "Your Name"}}'

To look closer:
  {kubectl} smartcourse status --context {settings.context} --namespace {NAMESPACE}

Mail that it sends is delivered nowhere and lies at {settings.public_url}{addons.MAILBOX_PATH}

Next: make status · make test · make down
""",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
