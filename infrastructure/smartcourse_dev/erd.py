"""Print `docs/SmartCourse-ERD-Complete.md`: the diagram and the tables, as the services' models declare them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

SERVICES = ("user", "course", "notification")
HEADER = """\
# The database, whole

Written by `make generate` from the services' models; `make check` fails when it is out of date.

One PostgreSQL database; each table has one owning service, which alone migrates and writes it
([ADR 0003](adr/0003-one-database.md)). Instants are `TIMESTAMPTZ` ([ADR 0002](adr/0002-timestamps.md)).
What lives beside it:

| store | what | how it is found |
|---|---|---|
| MongoDB `lesson_revisions` | bodies and quizzes, an immutable document a revision | `lessons.current_revision_id` |
| MongoDB GridFS | attachments and certificates, immutable | `attachments.file_id`, `certificates.file_id` |
| Redis | limits, revocations, streams: all of it can be made again | `<service>_outbox` |
"""


def declared(service: str) -> list[dict[str, Any]]:
    """Return the tables of a service, as `python -m <service>_service.erd` tells them."""
    done = subprocess.run([sys.executable, "-m", f"{service}_service.erd"], capture_output=True, text=True, check=True)
    tables: list[dict[str, Any]] = json.loads(done.stdout)
    return tables


def mermaid(tables: list[dict[str, Any]]) -> str:
    """Return an entity relationship diagram; a relation reads from the table that is referred to."""
    lines = ["```mermaid", "erDiagram"]
    for table in tables:
        for column in table["columns"]:
            if column["references"]:
                many = "o|" if column["key"] == ["FK", "UK"] else "o{"
                one = "|o" if column["nullable"] else "||"
                lines.append(
                    f"  {column['references'].partition('.')[0]} {one}--{many} {table['name']} : {column['name']}"
                )
    for table in tables:
        lines.append(f"  {table['name']} {{")
        lines += [
            f"    {word(column['type'])} {column['name']} {', '.join(column['key'])}".rstrip()
            for column in table["columns"]
        ]
        lines.append("  }")
    return "\n".join([*lines, "```"])


def word(kind: str) -> str:
    """Return a column's type as the one word that Mermaid takes: `varchar(60)[]` → `varchar_array`."""
    return re.sub(r"\(.*?\)", "", kind).replace("[]", "_array").replace(" ", "_")


def page(table: dict[str, Any]) -> str:
    """Return one table as Markdown."""
    lines = [f"### {table['name']}", "", "| column | type | null | default | key | |", "|---|---|---|---|---|---|"]
    for column in table["columns"]:
        refers = f"→ `{column['references']}`" if column["references"] else ""
        told = " ".join(filter(None, [refers, column["comment"]]))
        default = f"`{column['default']}`" if column["default"] else ""
        null = "yes" if column["nullable"] else ""
        lines.append(
            f"| `{column['name']}` | {column['type']} | {null} | {default} | {' '.join(column['key'])} | {told} |"
        )
    if table["checks"]:
        lines += ["", "Checks: " + "; ".join(f"`{check}`" for check in table["checks"]) + "."]
    if table["indexes"]:
        lines += ["", "Indexes: " + ", ".join(f"`{index}`" for index in table["indexes"]) + "."]
    return "\n".join(lines)


def document() -> str:
    owned = {service: declared(service) for service in SERVICES}
    # A service's models name the columns that they read of another's table; the owner's declaration is the one shown.
    parts = [HEADER, mermaid([table for tables in owned.values() for table in tables])]
    for service, tables in owned.items():
        parts += [f"## {service}-service", *[page(table) for table in tables]]
    return "\n\n".join(part.strip() for part in parts) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
