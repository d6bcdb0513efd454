"""Whether an object in the cluster is what was rendered, told without asking the API server.

What we render must be there as rendered. What we leave out holds the server's defaults; whether somebody else has set
something there is told by who owns it (`ownership.py`), not by its value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from smartcourse_operator.core import names
from smartcourse_operator.core.objects import Document

Path = tuple[str | int, ...]

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
QUANTITY = re.compile(r"^(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
UNITS: dict[str | None, Decimal] = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}


def differences(rendered: Document, live: Document) -> list[Path]:
    """Return where `live` is not what `rendered` asks for, in the order of the rendered fields.

    A Job's spec is immutable and its name holds its digest: only its metadata is compared.
    """
    found = [*_metadata(rendered["metadata"], live["metadata"])]
    if rendered["kind"] != "Job":
        for key, value in rendered.items():
            if key not in ("metadata", "kind", "apiVersion", "status"):
                found += _field(value, live, (key,))
    return found


def shown(found: list[Path]) -> list[str]:
    return [".".join(map(str, path)) for path in found]


def _metadata(rendered: Document, live: Document) -> Iterator[Path]:
    for group in ("labels", "annotations"):
        current = live.get(group) or {}
        for key, value in (rendered.get(group) or {}).items():
            if current.get(key) != value:
                yield ("metadata", group, key)
    owners = {owner.get("uid"): owner for owner in live.get("ownerReferences") or ()}
    for owner in rendered.get("ownerReferences") or ():
        if owners.get(owner["uid"], {}).get("controller") != owner["controller"]:
            yield ("metadata", "ownerReferences")


def _field(rendered: Any, parent: Document, path: Path) -> Iterator[Path]:
    """Compare one field of the live object `parent`, the last step of `path`."""
    name = str(path[-1])
    if name not in parent:
        if not _is_omitted(rendered, name):
            yield path
        return
    yield from _value(rendered, parent[name], path)


def _is_omitted(rendered: Any, name: str) -> bool:
    if rendered is False:
        return name in OMITTED_WHEN_FALSE
    return rendered in (None, {}, [], "", 0)


def _value(rendered: Any, live: Any, path: Path) -> Iterator[Path]:
    if isinstance(rendered, dict) and isinstance(live, dict):
        yield from _map(rendered, live, path)
    elif isinstance(rendered, list) and isinstance(live, list):
        yield from _list(rendered, live, path)
    elif not _is_same(rendered, live, path):
        yield path


def _map(rendered: Document, live: Document, path: Path) -> Iterator[Path]:
    for key, value in rendered.items():
        yield from _field(value, live, (*path, key))


def _list(rendered: list[Any], live: list[Any], path: Path) -> Iterator[Path]:
    keys = ITEM_KEYS.get(str(path[-1]))
    if not keys or not all(isinstance(item, dict) for item in (*rendered, *live)):
        yield from _sequence(rendered, live, path)
        return
    positions = {_identity(item, keys): index for index, item in enumerate(live)}
    for item in rendered:
        index = positions.get(_identity(item, keys))
        if index is None:
            yield path
        else:
            yield from _value(item, live[index], (*path, index))


def _sequence(rendered: list[Any], live: list[Any], path: Path) -> Iterator[Path]:
    for index, item in enumerate(rendered):
        if index < len(live):
            yield from _value(item, live[index], (*path, index))
        else:
            yield path


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


def is_current(rendered: Document, live: Document) -> bool:
    """Return whether `live` carries the digest of what is rendered now."""
    annotations = live["metadata"].get("annotations") or {}
    return bool(
        annotations.get(names.ANNOTATION_APPLIED) == rendered["metadata"]["annotations"][names.ANNOTATION_APPLIED]
    )
