"""The registry that the clusters' nodes pull from.

Nodes know it as `smartcourse.local/<name>:<tag>`, this machine pushes to `localhost:5001/<name>:<tag>`.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

from smartcourse_dev import docker
from smartcourse_dev.shell import Log, StepError, capture

CONTAINER = "kind-registry"
VOLUME = "kind-registry"
NETWORK = "kind"
ADDRESS = "127.0.0.1:5001"
PUSH_HOST = "localhost:5001"
HOST = "smartcourse.local"
MANIFESTS = ("application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json")
# What is on this machine is asked directly, whatever proxy the environment names.
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(path: str, *, timeout_seconds: float = 5) -> dict[str, Any] | None:
    """Return the registry's JSON answer, None when it has no such thing or does not answer."""
    request = urllib.request.Request(f"http://{ADDRESS}{path}", headers={"Accept": ", ".join(MANIFESTS)})
    try:
        with direct.open(request, timeout=timeout_seconds) as answer:
            document = json.load(answer)
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def is_running() -> bool:
    return get("/v2/") is not None and docker.state(CONTAINER) == "running"


def has(reference: str) -> bool:
    """Whether `smartcourse.local/<name>:<tag>` can be pulled."""
    name, _, tag = reference.removeprefix(f"{HOST}/").partition(":")
    return get(f"/v2/{name}/manifests/{tag}") is not None


def has_current(reference: str) -> bool:
    """Whether the registry's image of that name is the same as the engine's."""
    name, _, tag = reference.removeprefix(f"{HOST}/").partition(":")
    manifest = get(f"/v2/{name}/manifests/{tag}") or {}
    digest = (manifest.get("config") or {}).get("digest")
    return bool(digest) and digest == docker.image_id(reference)


def push(log: Log, reference: str) -> None:
    """Push the engine's `smartcourse.local/...` image."""
    name = f"{PUSH_HOST}/{reference.removeprefix(f'{HOST}/')}"
    log.run(*docker.command("tag", reference, name))
    log.run(*docker.command("push", "--quiet", name))
    log.run(*docker.command("rmi", "--no-prune", name))


def ensure(log: Log, image: str) -> None:
    """Run the registry on kind's network. Its images are in a volume, so that a removed container costs no push.

    Raises:
        StepError: it does not answer, most likely because another program has its port.
    """
    if docker.state(CONTAINER) and not is_running():
        docker.remove(CONTAINER)
    if not docker.state(CONTAINER):
        if NETWORK not in capture(*docker.command("network", "ls", "--format", "{{.Name}}")).split():
            log.run(*docker.command("network", "create", "--driver", "bridge", NETWORK))
        log.run(*docker.command(
            "run", "--detach", "--restart", "unless-stopped", "--name", CONTAINER, "--network", NETWORK,
            "--publish", f"{ADDRESS}:5000", "--volume", f"{VOLUME}:/var/lib/registry", image,
        ))  # fmt: skip
    until = time.monotonic() + 30
    while not is_running():
        if time.monotonic() > until:
            raise StepError(
                f"the image registry on {ADDRESS} does not answer",
                remedy=f"see `docker logs {CONTAINER}`; free port {ADDRESS} if another program has it",
            )
        log.wait(0.2)
