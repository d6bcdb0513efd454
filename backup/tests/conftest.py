"""Real servers, each started when a test first asks for it."""

pytest_plugins = ["shared.testing.servers"]
