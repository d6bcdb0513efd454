"""Whether an object in the cluster is what was rendered, told without asking the API server.

What we render must be there as rendered; what we leave out may hold anything (the server's defaults, a controller's
notes), except in maps and lists that are ours as a whole: a stray key in a Service's selector takes its traffic away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from smartcourse_operator.core import names
from smartcourse_operator.core.objects import Document

Path = tuple[str | int, ...]

WHOLE_MAPS = {"selector", "matchLabels", "nodeSelector", "data", "binaryData", "limits"}
"""Maps that are ours entirely when we render them: a key that somebody added is removed. (`requests` is not among
them: the server completes it from `limits`.)"""

ITEM_KEYS = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "imagePullSecrets": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
"""Lists whose items the API server knows by these fields; others are compared in order."""

OMITTED_WHEN_FALSE = {
    "hostIPC", "hostNetwork", "hostPID", "paused", "publishNotReadyAddresses", "readOnly", "stdin", "stdinOnce", "tty",
}  # fmt: skip
"""Booleans that the API server does not store when they are false."""

QUANTITY_PARENTS = {"requests", "limits"}
QUANTITY_FIELDS = {"sizeLimit", "averageValue"}
QUANTITY = re.compile(r"^(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")
UNITS: dict[str | None, Decimal] = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P"), 1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), 1)},
}


@dataclass(frozen=True)
class Difference:
    """Where the live object is not as rendered; `stray` marks what we did not render and own nonetheless."""

    path: Path
    stray: bool = False

    def __str__(self) -> str:
        return ".".join(str(step) for step in self.path)


def differences(rendered: Document, live: Document) -> list[Difference]:
    """Return where `live` is not what `rendered` asks for, in the order of the rendered fields.

    A Job's spec is immutable and its name holds its digest: only its metadata is compared.
    """
    found = [*_metadata(rendered["metadata"], live["metadata"])]
    if rendered["kind"] != "Job":
        for key, value in rendered.items():
            if key not in ("metadata", "kind", "apiVersion", "status"):
                found += _field(value, live, (key,))
    return found


def _metadata(rendered: Document, live: Document) -> Iterator[Difference]:
    for group in ("labels", "annotations"):
        current = live.get(group) or {}
        for key, value in (rendered.get(group) or {}).items():
            if current.get(key) != value:
                yield Difference(("metadata", group, key))
    owners = {owner.get("uid"): owner for owner in live.get("ownerReferences") or ()}
    for owner in rendered.get("ownerReferences") or ():
        if owners.get(owner["uid"], {}).get("controller") != owner["controller"]:
            yield Difference(("metadata", "ownerReferences"))


def _field(rendered: Any, parent: Document, path: Path) -> Iterator[Difference]:
    """Compare one field of the live object `parent`, the last step of `path`."""
    name = str(path[-1])
    if name not in parent:
        if not _is_omitted(rendered, name):
            yield Difference(path)
        return
    yield from _value(rendered, parent[name], path)


def _is_omitted(rendered: Any, name: str) -> bool:
    if rendered is False:
        return name in OMITTED_WHEN_FALSE
    return rendered in (None, {}, [], "", 0)


def _value(rendered: Any, live: Any, path: Path) -> Iterator[Difference]:
    if isinstance(rendered, dict) and isinstance(live, dict):
        yield from _map(rendered, live, path)
    elif isinstance(rendered, list) and isinstance(live, list):
        yield from _list(rendered, live, path)
    elif not _is_same(rendered, live, path):
        yield Difference(path)


def _map(rendered: Document, live: Document, path: Path) -> Iterator[Difference]:
    for key, value in rendered.items():
        yield from _field(value, live, (*path, key))
    holds_objects = any(isinstance(value, dict) for value in rendered.values())
    if path[-1] in WHOLE_MAPS and rendered and not holds_objects:
        for key in live.keys() - rendered.keys():
            yield Difference((*path, key), stray=True)


def _list(rendered: list[Any], live: list[Any], path: Path) -> Iterator[Difference]:
    keys = ITEM_KEYS.get(str(path[-1]))
    if not keys or not all(isinstance(item, dict) for item in (*rendered, *live)):
        yield from _sequence(rendered, live, path)
        return
    positions = {_identity(item, keys): index for index, item in enumerate(live)}
    for item in rendered:
        index = positions.pop(_identity(item, keys), None)
        if index is None:
            yield Difference(path)
        else:
            yield from _value(item, live[index], (*path, index))
    for index in sorted(positions.values()):
        yield Difference((*path, index), stray=True)


def _sequence(rendered: list[Any], live: list[Any], path: Path) -> Iterator[Difference]:
    for index, item in enumerate(rendered):
        if index < len(live):
            yield from _value(item, live[index], (*path, index))
        else:
            yield Difference(path)
    for index in range(len(rendered), len(live)):
        yield Difference((*path, index), stray=True)


def _identity(item: Document, keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item.get(key) for key in keys)


def _is_same(rendered: Any, live: Any, path: Path) -> bool:
    if rendered == live and isinstance(rendered, bool) == isinstance(live, bool):
        return True
    if rendered is None:
        return live is None
    parent = path[-2] if len(path) > 1 else None
    if parent in QUANTITY_PARENTS or path[-1] in QUANTITY_FIELDS:
        return quantity(rendered) == quantity(live) is not None
    return False


def quantity(value: Any) -> Decimal | None:
    """Return what a Kubernetes quantity amounts to, None if it is none."""
    match = QUANTITY.match(str(value))
    return Decimal(match["number"]) * UNITS[match["unit"]] if match else None


def removals(found: list[Difference]) -> list[Document]:
    """Return the JSON patch that takes the stray parts away; items of a list from its end, so that places hold."""
    paths = sorted(
        (d.path for d in found if d.stray), key=lambda path: [(isinstance(s, str), s) for s in path], reverse=True
    )
    return [{"op": "remove", "path": pointer(path)} for path in paths]


def pointer(path: Path) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def is_current(rendered: Document, live: Document) -> bool:
    """Return whether `live` carries the digest of what is rendered now."""
    annotations = live["metadata"].get("annotations") or {}
    return bool(
        annotations.get(names.ANNOTATION_APPLIED) == rendered["metadata"]["annotations"][names.ANNOTATION_APPLIED]
    )
