"""The operator as a process of its own. No gateway runs beside these cases, so each counts as well."""

from __future__ import annotations

import asyncio

from smartcourse_operator.config import Settings
from smartcourse_operator.main import Operator


async def well(name: str, namespace: str, *, port: int) -> str:
    return ""


if __name__ == "__main__":
    asyncio.run(Operator(Settings(), probe=well).run(asyncio.Event()))
