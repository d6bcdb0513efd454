"""The RSGI application that the decision process serves."""

from __future__ import annotations

from api_gateway.config import DecisionSettings
from api_gateway.decision.app import DecisionApp
from shared.config.settings import load
from shared.telemetry import configure_logging


def create_app() -> DecisionApp:
    """Return the application, made from the environment."""
    settings = load(DecisionSettings)
    configure_logging(settings.service_name, settings.log_level)
    return DecisionApp(settings)
