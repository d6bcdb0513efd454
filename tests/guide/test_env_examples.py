"""Each service's `.env.example` explains every setting that the service reads, as its README promises."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest
from pydantic_settings import BaseSettings

from .guide import ROOT

SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
CONSTANT = {"SERVICE_NAME"}
"""Settings by their form, which nobody sets."""
ELSEWHERE = {"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
"""Read by OpenTelemetry itself."""


def settings(service: str) -> set[str]:
    """Return the environment variables that the service's processes and commands read."""
    module = importlib.import_module(f"{service.replace('-', '_')}.config")
    classes = [each for _, each in inspect.getmembers(module, inspect.isclass) if issubclass(each, BaseSettings)]
    return {name.upper() for each in classes for name in each.model_fields} - CONSTANT


def explained(service: str) -> set[str]:
    text = (ROOT / "services" / service / ".env.example").read_text("utf-8")
    return set(re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=", text, re.MULTILINE))


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_of_a_service_is_explained(service: str) -> None:
    missing = sorted(settings(service) - explained(service))
    add = [f"{name}=" for name in missing]
    assert not missing, (
        f"services/{service}/.env.example: add, each with a comment that says what for: {', '.join(add)}"
    )


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_explained_is_read(service: str) -> None:
    idle = sorted(explained(service) - settings(service) - ELSEWHERE)
    assert not idle, f"services/{service}/.env.example: take away what no setting reads: {', '.join(idle)}"
