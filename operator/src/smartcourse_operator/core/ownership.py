"""Who set which field: what somebody else than the operator's applying has set in an object's content is drift.

The API server keeps it in `metadata.managedFields` (format: structured-merge-diff's FieldsV1). An apply removes only
fields that the same manager applied before. So what others have set is first made out to be ours: the apply that
follows takes all of it away at once, also where one field excludes another (`value` and `valueFrom`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from smartcourse_operator.core import names
from smartcourse_operator.core.objects import Document

Fields = dict[str, Any]

CONTROLLERS = frozenset({"kube-controller-manager"})
"""Managers that are part of Kubernetes and see to it that objects do what they say."""
NOT_CONTENT = frozenset({"f:apiVersion", "f:kind", "f:metadata", "f:status"})
LEFT_TO_OTHERS = frozenset({
    ("f:spec", "f:replicas"),  # an autoscaler's; where they are rendered, their value is compared
    ("f:spec", "f:template", "f:metadata", "f:annotations", "f:kubectl.kubernetes.io/restartedAt"),
    ("f:imagePullSecrets",),  # these two are a ServiceAccount's, where some distributions enter its tokens
    ("f:secrets",),
})  # fmt: skip
"""Fields that people and controllers may set in what we apply."""


def contested(rendered: Document, live: Document) -> Fields:
    """Return the fields of the content that others have set, {} if there are none.

    A Job's content is immutable.
    """
    if rendered["kind"] == "Job":
        return {}
    found: Fields = {}
    for entry in _entries(live):
        if _is_foreign(entry, rendered["apiVersion"]):
            found = _union(found, _split(entry["fieldsV1"])[0])
    return found


def reclaiming(rendered: Document, live: Document) -> list[Document]:
    """Return the JSON patch that makes the contested fields out to be applied by us.

    It takes the digest of what was applied away too: whoever reads the object next knows that it has to be applied.
    """
    fields, entries = contested(rendered, live), []
    for entry in _entries(live):
        if _is_ours(entry):
            fields = _union(entry["fieldsV1"], fields)
        elif not _is_foreign(entry, rendered["apiVersion"]):
            entries.append(entry)
        elif left := _split(entry["fieldsV1"])[1]:
            entries.append({**entry, "fieldsV1": left})
    ours = {"manager": names.FIELD_MANAGER, "operation": "Apply", "apiVersion": rendered["apiVersion"]}
    entries.append({**ours, "fieldsType": "FieldsV1", "fieldsV1": fields})
    metadata = {
        **live["metadata"],
        "managedFields": entries,
        "annotations": {**(live["metadata"].get("annotations") or {}), names.ANNOTATION_APPLIED: ""},
    }
    kept = ("resourceVersion", "managedFields", "annotations")  # another version is a conflict: it was changed since
    return [{"op": "add", "path": f"/metadata/{key}", "value": metadata[key]} for key in kept]


def paths(fields: Fields, before: str = "") -> Iterator[str]:
    """Yield the fields as people write them: `spec.template.spec.containers[name=user].args`."""
    for key, below in fields.items():
        if key == ".":
            continue
        path = before + _step(key, is_first=not before)
        if below.keys() - {"."}:
            yield from paths(below, path)
        else:
            yield path


def _step(key: str, *, is_first: bool) -> str:
    kind, _, rest = key.partition(":")
    if kind == "f":
        return rest if is_first else f".{rest}"
    return "[" + rest.strip("{}").replace('"', "").replace(":", "=") + "]"


def _entries(live: Document) -> list[Document]:
    found: list[Document] = live["metadata"].get("managedFields") or []
    return found


def _is_ours(entry: Document) -> bool:
    return entry["manager"] == names.FIELD_MANAGER and entry["operation"] == "Apply" and not entry.get("subresource")


def _is_foreign(entry: Document, api_version: str) -> bool:
    """Whether an entry is of somebody else, in the terms of the version that we write.

    A subresource's fields (`scale`, `status`) are controllers'.
    """
    is_known = _is_ours(entry) or entry["manager"] in CONTROLLERS or bool(entry.get("subresource"))
    return not is_known and entry["apiVersion"] == api_version


def _split(fields: Fields) -> tuple[Fields, Fields]:
    """Return the contested part of a set of fields, and the part that may stay its manager's."""
    left = {key: below for key, below in fields.items() if key in NOT_CONTENT}
    content = {key: below for key, below in fields.items() if key not in NOT_CONTENT}
    for path in LEFT_TO_OTHERS:
        content, allowed = _cut(content, path)
        left = _union(left, allowed)
    return content, left


def _cut(fields: Fields, path: tuple[str, ...]) -> tuple[Fields, Fields]:
    """Return `fields` without the one at `path`, and that one alone; what holds nothing else goes with it."""
    first, *others = path
    if first not in fields:
        return fields, {}
    if not others:
        return {key: below for key, below in fields.items() if key != first}, {first: fields[first]}
    rest, taken = _cut(fields[first], tuple(others))
    if not taken:
        return fields, {}
    if rest.keys() <= {"."}:
        return {key: below for key, below in fields.items() if key != first}, {first: _union(rest, taken)}
    return {**fields, first: rest}, {first: taken}


def _union(one: Fields, other: Fields) -> Fields:
    return one | {key: _union(one.get(key, {}), below) for key, below in other.items()}
