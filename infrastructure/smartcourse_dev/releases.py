"""Print the newest of `manifests/releases/*.yaml` with the schema's revisions that the services' migrations have."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from shared.migrations import Migrations
from smartcourse_dev.erd import SERVICES

FOLDER = Path(__file__).resolve().parents[2] / "manifests" / "releases"
SCHEMA = re.compile(r"^schema:.*\n(?: .*\n)*", re.MULTILINE)


def newest(folder: Path = FOLDER) -> Path:
    """Return the newest release's file: 1.10.0 is newer than 1.9.0. Those before are history, which nothing changes."""
    return max(folder.glob("*.yaml"), key=lambda path: [int(part) for part in path.stem.split(".")])


def schema(migrations: Migrations) -> dict[str, str]:
    """Return what a service's code needs, and its newest revision where that contracts."""
    required, [head] = migrations.required(), migrations.heads()
    return {"expand": required} | ({} if head == required else {"contract": head})


def with_schema(text: str, schemas: dict[str, dict[str, str]]) -> str:
    """Return a release's file with these revisions by service, and its other lines as they are."""
    block = yaml.safe_dump({"schema": schemas}, default_flow_style=None, sort_keys=False, width=120)
    return SCHEMA.sub(lambda _: block, text) if SCHEMA.search(text) else text + block


def main() -> None:
    schemas = {service: schema(Migrations(f"{service}_service", service)) for service in SERVICES}
    print(with_schema(newest().read_text(encoding="utf-8"), schemas), end="")


if __name__ == "__main__":
    main()
