"""How long to leave something alone that has just failed."""

import random


def backoff_seconds(failures: int, *, first_seconds: float, longest_seconds: float) -> float:
    """Doubled with every failure in a row (from 1), up to the longest; half of it is chance, so that replicas part."""
    # The exponent is bounded because 2.0 ** 1024 overflows.
    whole: float = min(longest_seconds, first_seconds * 2.0 ** min(failures - 1, 30))
    return whole * (0.5 + random.random() / 2)  # noqa: S311 - spreads load, keeps no secret
