"""What `upstream.py` and the tests both know."""

PART = b"x" * 300_000
