"""`make env`: write `.env`, which Compose and services run by hand read, from `.env.example`.

Its secrets are generated as a cluster's are, under other names. What `.env` says already stays.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from smartcourse_dev import catalogue, secrets
from smartcourse_dev.catalogue import Source
from smartcourse_dev.settings import ROOT, Settings

EXAMPLE = ROOT / ".env.example"
TARGET = ROOT / ".env"
# Variable -> where the operator keeps the same in a cluster: the Secret's suffix and its key.
SECRETS = {
    "POSTGRES_PASSWORD": ("postgres", "password"),
    "USER_DB_PASSWORD": ("user-db", "password"),
    "COURSE_DB_PASSWORD": ("course-db", "password"),
    "NOTIFICATION_DB_PASSWORD": ("notification-db", "password"),
    "MONGO_PASSWORD": ("mongodb", "root-password"),
    "COURSE_MONGODB_PASSWORD": ("course-mongodb", "password"),
    "REDIS_PASSWORD": ("redis", "password"),
    "JWT_SECRET_KEY": ("auth", "jwt-secret"),
    "GATEWAY_IDENTITY_KEY": ("auth", "identity-key"),
    "ADMIN_EMAIL": ("admin", "email"),
    "ADMIN_PASSWORD": ("admin", "password"),
    "VAPID_PRIVATE_KEY": ("push", "private-key"),
}
# Variable -> the image's name in the catalogue.
IMAGES = {"PYTHON_IMAGE": "python", "POSTGRES_IMAGE": "postgres", "MONGODB_IMAGE": "mongodb", "REDIS_IMAGE": "redis"}
ASSIGNMENT = re.compile(r"^(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", re.MULTILINE)
RELEASE = "compose"


def generated() -> dict[str, str]:
    """Return new secrets by the names of `.env`."""
    contents = {each["metadata"]["name"]: each["stringData"] for each in secrets.generated(RELEASE, RELEASE)}
    return {name: contents[f"{RELEASE}-{suffix}"][key] for name, (suffix, key) in SECRETS.items()}


def images(source: Source) -> dict[str, str]:
    """Return the variables that Compose needs to be told about images: none where it can pull its defaults."""
    if source is Source.UPSTREAM:
        return {}
    return {name: catalogue.reference(image, source) for name, image in IMAGES.items()}


def assignments(text: str) -> dict[str, str]:
    return {match["name"]: match["value"].strip() for match in ASSIGNMENT.finditer(text)}


def complete(existing: str, example: str, values: Mapping[str, str]) -> str:
    """Return `existing`, or `example` where there is none, with `values` where it has none; nothing else changes."""
    text = existing or example

    def filled(match: re.Match[str]) -> str:
        name = match["name"]
        return match[0] if match["value"].strip() else f"{name}={values.get(name, '')}"

    text = ASSIGNMENT.sub(filled, text)
    missing = {**assignments(example), **values}.keys() - assignments(text).keys()
    added = [f"{name}={values.get(name) or assignments(example)[name]}\n" for name in sorted(missing)]
    return text + ("" if text.endswith("\n") or not added else "\n") + "".join(added)


def write(target: Path, text: str) -> None:
    """Put the file in its place whole, readable by its owner only."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, prefix=".env.", delete=False) as file:
        file.write(text)
    Path(file.name).replace(target)  # made with mode 0600


def ensure(target: Path, source: Source) -> bool:
    """Make `target` complete; return whether it was not."""
    existing = target.read_text("utf-8") if target.exists() else ""
    text = complete(existing, EXAMPLE.read_text("utf-8"), generated() | images(source))
    write(target, text)
    return text != existing


def main() -> int:
    source = catalogue.choose(Settings.from_environment().images)
    changed = ensure(TARGET, source)
    print(f"{TARGET}: {'completed; what it said already stays' if changed else 'complete already'}")
    if source is Source.OFFLINE:
        print("It names images that are assembled here: `make compose` makes them.")
    return 0
