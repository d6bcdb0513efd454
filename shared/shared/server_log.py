"""The ASGI server's own lines (it starts, a worker ended) in the shape of all others; `server_log.json` names it.

Of the standard library alone: the process that writes them only watches the one that works, and should stay small.
"""

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

CONFIGURATION = Path(__file__).with_suffix(".json")
"""For Granian's GRANIAN_LOG_CONFIG."""


class JsonFormatter(logging.Formatter):
    """One JSON object a record; the environment's SERVICE_NAME says whose it is."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "message": record.getMessage(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "service": os.environ.get("SERVICE_NAME", "granian"),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)
