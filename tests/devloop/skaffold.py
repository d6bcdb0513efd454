"""`skaffold.yaml` read as Skaffold's reference documents it: modules, profiles' patches, sync rules, templates."""

from __future__ import annotations

import copy
import posixpath
import re
from collections.abc import Mapping
from typing import Any

import yaml

from .sources import ROOT, Document

TEMPLATE = re.compile(r"\{\{\.IMAGE_FULLY_QUALIFIED_(\w+)\}\}")


def module(name: str, *profiles: str) -> Document:
    """Return the configuration of that name with the profiles' patches applied in order."""
    documents = yaml.safe_load_all((ROOT / "skaffold.yaml").read_text("utf-8"))
    found: Document = copy.deepcopy(next(each for each in documents if each["metadata"]["name"] == name))
    by_name = {profile["name"]: profile for profile in found["profiles"]}
    for profile in profiles:
        for patch in by_name[profile].get("patches", []):
            apply(found, patch)
    return found


def apply(document: Document, patch: Document) -> None:
    """Apply an `add` of a JSON patch; its parent must exist."""
    assert patch["op"] == "add", f"only `add` is used: {patch}"
    *parents, last = patch["path"].strip("/").split("/")
    target: Any = document
    for word in parents:
        target = target[int(word) if isinstance(target, list) else word]
    if isinstance(target, list):
        assert last == "-", f"lists are only appended to: {patch}"
        target.append(patch["value"])
    else:
        target[last] = patch["value"]


def artifacts(document: Document) -> dict[str, Document]:
    return {artifact["image"]: artifact for artifact in document["build"]["artifacts"]}


def release(document: Document) -> Document:
    (found,) = document["deploy"]["helm"]["releases"]
    result: Document = found
    return result


def destinations(artifact: Document, path: str) -> list[str]:
    """Return where a sync puts an edited file; none means that the image is built anew."""
    found = []
    for rule in artifact["sync"]["manual"]:
        directory, stars = rule["src"].rsplit("/", 1)
        assert stars == "**", f"rules take whole directories: {rule}"
        if path.startswith(f"{directory}/"):
            found.append(posixpath.join(rule["dest"], path.removeprefix(rule["strip"])))
    return found


def helm_arguments(document: Document, built: Mapping[str, str]) -> list[str]:
    """Return what Skaffold gives Helm for the release, with the built images' references."""
    told = release(document)
    arguments = [told["name"], told["chartPath"], "--namespace", told["namespace"]]
    for file in told.get("valuesFiles", []):
        arguments += ["--values", file]
    values = dict(told.get("setValues", {}))
    for key, template in told["setValueTemplates"].items():
        values[key] = TEMPLATE.sub(lambda match: by_suffix(built)[match[1]], template)
    return [*arguments, *[word for key, value in values.items() for word in ("--set", f"{key}={value}")]]


def by_suffix(built: Mapping[str, str]) -> dict[str, str]:
    """Return the references by the name that an image has in a template."""
    return {image.replace("-", "_"): reference for image, reference in built.items()}
