"""What the scale subresource tells: of how many pods the platform is, and by which label they are found.

One number stands for four Deployments. The gateway's is the one that is told: every request goes through it, and an
autoscaler needs pods of one kind to reckon with.
"""

from __future__ import annotations

from dataclasses import dataclass

from smartcourse_operator.core.objects import DEPLOYMENT, Document, Reference


@dataclass(frozen=True)
class Scale:
    """As a Deployment's own scale has it: `replicas` are all pods that there are, ready or not."""

    replicas: int | None = None
    selector: str | None = None

    @classmethod
    def of(cls, gateway: Document | None) -> Scale:
        """Return the scale of the gateway's Deployment, nothing while there is none."""
        if gateway is None:
            return cls()
        wanted = gateway["spec"]["selector"]["matchLabels"].items()
        count: int = (gateway.get("status") or {}).get("replicas", 0)
        return cls(count, ",".join(f"{key}={value}" for key, value in sorted(wanted)))


def gateway_of(name: str) -> Reference:
    return Reference(DEPLOYMENT.kind, f"{name}-gateway")
