"""Whether the databases' volumes are still those that were initialised."""

from __future__ import annotations

from collections.abc import Iterable

from smartcourse_operator.core import names
from smartcourse_operator.core.objects import Document, labels
from smartcourse_operator.core.status import Volume

HOLDING_TRUTH = ("postgres", "mongodb")
"""Redis holds nothing that cannot be rebuilt: its volume may come back empty."""


def volumes_of_truth(claims: Iterable[Document]) -> list[Volume]:
    """Return the claims that hold what cannot be rebuilt, in order of their names."""
    kept = [claim for claim in claims if labels(claim).get(names.LABEL_NAME) in HOLDING_TRUTH]
    return sorted(
        (Volume(name=claim["metadata"]["name"], uid=claim["metadata"]["uid"]) for claim in kept),
        key=lambda volume: volume.name,
    )


def remembered(recorded: Iterable[Volume], found: Iterable[Volume]) -> list[Volume]:
    """Return the recorded volumes and, of those found with data, the ones that an older operator did not record."""
    by_name = {volume.name: volume for volume in (*found, *recorded)}
    return [by_name[name] for name in sorted(by_name)]


def missing_data(recorded: Iterable[Volume], present: Iterable[Volume]) -> str | None:
    """Return what is wrong with the volumes, None if each recorded one is there."""
    uids = {volume.name: volume.uid for volume in present}
    for volume in recorded:
        if uids.get(volume.name) != volume.uid:
            state = "has been replaced by an empty one" if volume.name in uids else "is gone"
            return (
                f"the volume {volume.name} held data and {state}; nothing is initialised again. Restore it, then "
                "delete this resource with deletionPolicy Retain and create it anew: docs/runbooks/not-ready.md"
            )
    return None
