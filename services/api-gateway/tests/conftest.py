"""Servers that the integration tests run against."""

pytest_plugins = ["shared.testing.servers"]
