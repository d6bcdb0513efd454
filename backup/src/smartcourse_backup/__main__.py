"""`python -m smartcourse_backup backup|check|restore|archive`: one task, told by environment variables (config.py).

The result, or what went wrong, is written as JSON where Kubernetes takes a pod's termination message from. Exit code 3
says that the backup is broken: nothing was touched, and trying again would not help.
"""

from __future__ import annotations

import asyncio
import json
import sys

import structlog

from smartcourse_backup.config import Settings
from smartcourse_backup.manifest import BrokenBackupError
from smartcourse_backup.work import TASKS, Result

BROKEN = 3
MESSAGE_LENGTH = 1500

log = structlog.get_logger()


def tell(settings: Settings, result: Result) -> None:
    settings.result.write_text(json.dumps(result), encoding="utf-8")


def main(task: str) -> int:
    structlog.configure(processors=[
        structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.JSONRenderer(),
    ])  # fmt: skip
    settings = Settings()
    try:
        tell(settings, asyncio.run(TASKS[task](settings)))
    except BrokenBackupError as error:
        log.error("broken", task=task, error=str(error))  # noqa: TRY400 - the trace says nothing more
        tell(settings, {"error": str(error)[:MESSAGE_LENGTH], "isBroken": True})
        return BROKEN
    except Exception as error:
        log.exception("failed", task=task)
        tell(settings, {"error": f"{type(error).__name__}: {error}"[:MESSAGE_LENGTH]})
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in TASKS:
        sys.exit(f"usage: python -m smartcourse_backup {'|'.join(TASKS)}")
    sys.exit(main(sys.argv[1]))
