"""Pure ASGI middleware, outermost first: telemetry, logging, identity."""
