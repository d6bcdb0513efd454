"""What `upstream.py` and the tests both know."""

PART = b"x" * 300_000
BODY_LIMIT = 25_000_000
"""The largest body that the service itself takes, in bytes."""
