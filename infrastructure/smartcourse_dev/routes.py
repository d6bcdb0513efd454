"""Print `docs/routes.md`: every route of the API, as the services' OpenAPI documents declare it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.access import reads_token
from shared.api_keys import scope_of

ROOT = Path(__file__).resolve().parents[2]
ACCESS = "x-smartcourse-access"
METHODS = ("get", "post", "put", "patch", "delete")
HEADER = """\
# Routes

Written by `make generate` from `services/*/openapi.json`; `make check` fails when it is out of date. The gateway is
compiled from the same documents: what is not listed here is 404, and who is not named is refused. Rate classes are
explained in [the system's design](SmartCourse-System-Design.md#limits), and their figures are set in each installation:
its `/openapi.json` tells them with each operation. The key's column names the scope that
[a script's API key](how-to/call-the-api-from-a-script.md) needs, and is empty where no key is accepted or looked at.
"""


def rows(service: str, document: dict[str, Any]) -> Iterator[str]:
    for path, item in sorted(document["paths"].items()):
        for method in METHODS:
            if operation := item.get(method):
                access = operation[ACCESS]
                told = operation.get("description") or operation.get("summary", "")
                first = " ".join(told.split("\n\n")[0].split()).replace("|", "\\|")
                who, scope = ", ".join(access["allow"]), _scope(service, method, access)
                yield f"| {method.upper()} | `{path}` | {who} | {access['rate']} | {scope} | {first} |"


def _scope(service: str, method: str, access: dict[str, Any]) -> str:
    if not reads_token(method.upper(), access["allow"]) or not access.get("apiKeys", True):
        return ""
    return scope_of(service, method.upper())


def document() -> str:
    parts = [HEADER.strip()]
    for path in sorted(ROOT.glob("services/*/openapi.json")):
        table = [
            "| method | path | who | rate | key | |",
            "|---|---|---|---|---|---|",
            *rows(path.parent.name.removesuffix("-service"), json.loads(path.read_text("utf-8"))),
        ]
        parts += [f"## {path.parent.name}", "\n".join(table)]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
