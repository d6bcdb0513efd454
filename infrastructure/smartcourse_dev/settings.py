"""What a run is told by its environment, and where it keeps things."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INFRASTRUCTURE = ROOT / "infrastructure"
OFFLINE = INFRASTRUCTURE / "offline"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smartcourse"
LOGS = CACHE / "logs"

CLUSTER_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?")


class SettingsError(ValueError):
    """An environment variable holds what it may not; the message names it."""


def _number(name: str, default: int, *, lowest: int, highest: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise SettingsError(f"{name}={text!r}: give a whole number from {lowest} to {highest}")
    return int(text)


@dataclass(frozen=True)
class Settings:
    """The cluster that a command works on.

    Attributes:
        images: "upstream" or "offline" to decide where images come from, "" to probe for a registry.
    """

    cluster: str = "smartcourse"
    http_port: int = 8080
    nodes: int = 1
    images: str = ""
    directory: Path = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "directory", CACHE / "clusters" / self.cluster)

    @classmethod
    def from_environment(cls) -> Settings:
        """Read CLUSTER, HTTP_PORT, NODES and IMAGES.

        Raises:
            SettingsError: one of them holds what it may not.
        """
        cluster = os.environ.get("CLUSTER") or cls.cluster
        if not CLUSTER_NAME.fullmatch(cluster):
            raise SettingsError(f"CLUSTER={cluster!r}: use lower-case letters, digits and inner hyphens, at most 42")
        images = os.environ.get("IMAGES", "")
        if images not in {"", "upstream", "offline"}:
            raise SettingsError(f"IMAGES={images!r}: use upstream or offline, or leave it out to probe")
        return cls(
            cluster=cluster,
            http_port=_number("HTTP_PORT", cls.http_port, lowest=1, highest=65535),
            nodes=_number("NODES", cls.nodes, lowest=1, highest=9),
            images=images,
        )

    @property
    def context(self) -> str:
        """The context's name in the kubeconfig."""
        return f"kind-{self.cluster}"

    @property
    def public_url(self) -> str:
        return f"http://localhost:{self.http_port}"
