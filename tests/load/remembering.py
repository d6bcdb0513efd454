"""`python -m tests.load.remembering N`: the bytes a token verifier takes before and after N distinct tokens."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from pathlib import Path

from api_gateway.config import DecisionSettings
from api_gateway.middleware.auth import TokenVerifier
from tests.load.doors import tokens

BATCH = 10_000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    secret, number = secrets.token_hex(32), int(sys.argv[1])
    capacity = DecisionSettings.model_fields["verified_tokens"].default
    verifier = TokenVerifier(
        [secret], issuer="smartcourse", audience="smartcourse-api", skew_seconds=5, capacity=capacity
    )
    tokens(secret, BATCH)
    empty = resident_bytes()
    for _ in range(number // BATCH):
        for token in tokens(secret, BATCH):
            verifier.verify(token, hashlib.sha256(token.encode()).digest())
    print(empty, resident_bytes())


if __name__ == "__main__":
    main()
