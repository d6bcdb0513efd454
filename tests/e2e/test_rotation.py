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


@pytest.mark.timeout(900)
@pytest.mark.parametrize("what", LAST)
def test_no_request_fails_while_a_secret_is_rotated(
    platform: Platform, kubectl: Kubectl, base_url: str, what: str
) -> None:
    early = platform.new_student().tokens["access_token"]
    old = kubectl.secret(f"{NAME}-course-db")
    with asking(platform, base_url) as seen:
        rotate(kubectl, NAME, what, request=REQUEST)
    assert seen.answers[200] > 100
    assert seen.failed == {}
    answer = httpx.get(f"{base_url}/api/auth/me", headers={"Authorization": f"Bearer {early}"}, timeout=30)
    assert answer.status_code == 200, "a token from before the rotation"
    if what == "database":
        with pytest.raises(KubectlError, match=r"not permitted to log in|authentication failed"):
            kubectl.run("exec", "-i", f"{NAME}-postgres-0", "--", "sh", "-c", 'read -r url; psql "$url" -c "SELECT 1"',
                        stdin=old["url"] + "\n")  # fmt: skip
