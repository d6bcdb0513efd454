"""Print `docs/routes.md`: every route of the API, as the services' OpenAPI documents declare it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ACCESS = "x-smartcourse-access"
METHODS = ("get", "post", "put", "patch", "delete")
HEADER = """\
# Routes

Written by `make generate` from `services/*/openapi.json`; `make check` fails when it is out of date. The gateway is
compiled from the same documents: what is not listed here is 404, and who is not named is refused. Rate classes are
explained in [the system's design](SmartCourse-System-Design.md#limits).
"""


def rows(document: dict[str, Any]) -> Iterator[str]:
    for path, item in sorted(document["paths"].items()):
        for method in METHODS:
            if operation := item.get(method):
                access = operation[ACCESS]
                told = operation.get("description") or operation.get("summary", "")
                first = " ".join(told.split("\n\n")[0].split()).replace("|", "\\|")
                yield f"| {method.upper()} | `{path}` | {', '.join(access['allow'])} | {access['rate']} | {first} |"


def document() -> str:
    parts = [HEADER.strip()]
    for path in sorted(ROOT.glob("services/*/openapi.json")):
        table = [
            "| method | path | who | rate | |",
            "|---|---|---|---|---|",
            *rows(json.loads(path.read_text("utf-8"))),
        ]
        parts += [f"## {path.parent.name}", "\n".join(table)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
