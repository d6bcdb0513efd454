"""Logs: one JSON object a line, on standard output, Kopf's included; the keys are those of the services' lines."""

from __future__ import annotations

import logging
import secrets
import sys
from contextlib import AbstractContextManager
from typing import Any

import structlog

SERVICE = "smartcourse-operator"


def configure(level: str) -> None:
    """Send structlog and the standard library's loggers to standard output as JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        _name_service,
        structlog.processors.EventRenamer("message"),
    ]
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(max(number, logging.WARNING))


def one_trace() -> AbstractContextManager[Any]:
    """Give every line inside the same fresh `trace_id` (32 hexadecimal digits)."""
    return structlog.contextvars.bound_contextvars(trace_id=secrets.token_hex(16))


def _name_service(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    event["service"] = SERVICE
    return event
