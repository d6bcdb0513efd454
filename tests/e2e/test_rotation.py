"""Secrets rotated while people ask: not one request fails."""

from __future__ import annotations

import secrets

import httpx
import pytest

from .conftest import NAME
from .kubernetes import Kubectl, KubectlError
from .people import Platform
from .rotations import LAST, rotate
from .test_rollout import asking

REQUEST = secrets.token_hex(4)
LOGINS = {
    "database": (
        "course-db", f"{NAME}-postgres-0", ["sh", "-c", 'read -r url; psql "$url" -c "SELECT 1"'],
        "not permitted to log in|authentication failed",
    ),
    "mongodb": (
        "course-mongodb", f"deployment/{NAME}-course",
        ["python", "-c", "import pymongo; pymongo.MongoClient(input()).admin.command('ping')"],
        "(?i)authentication failed",
    ),
    "redis": (
        "redis", f"{NAME}-redis-0",
        ["sh", "-c", 'read -r url; answer=$(redis-cli -u "$url" ping 2>&1); echo "$answer" >&2; [ "$answer" = PONG ]'],
        "WRONGPASS",
    ),
}  # fmt: skip
"""By what is rotated: the Secret, and what logs in with the URL that it reads, where, and how a void one is refused."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", LAST)
def test_no_request_fails_while_a_secret_is_rotated(
    platform: Platform, kubectl: Kubectl, base_url: str, what: str
) -> None:
    early = platform.new_student().tokens["access_token"]
    suffix, where, log_in, refusal = LOGINS.get(what, LOGINS["database"])
    old = kubectl.secret(f"{NAME}-{suffix}")
    with asking(platform, base_url) as seen:
        rotate(kubectl, NAME, what, request=REQUEST)
    assert seen.answers[200] > 100
    assert seen.failed == {}
    answer = httpx.get(f"{base_url}/api/auth/me", headers={"Authorization": f"Bearer {early}"}, timeout=30)
    assert answer.status_code == 200, "a token from before the rotation"
    if what in LOGINS:
        with pytest.raises(KubectlError, match=refusal):
            kubectl.run("exec", "-i", where, "--", *log_in, stdin=old["url"] + "\n")
