"""The page that a browser is shown, and who is shown it."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from course_service.api.verification import prefers_html, unknown_page, verification_page
from course_service.schemas.certificate import Verification

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("text/*", True),
        ("application/json;q=0.5, text/html;q=0.9", True),
        ("TEXT/HTML; charset=utf-8", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0", False),
        ("text/html;q=0, */*", False),
    ],
)
def test_html_is_for_who_likes_it_better(accept: str, html: bool) -> None:
    assert prefers_html(accept) is html


def verification(**facts: Any) -> Verification:
    known: dict[str, Any] = {
        "is_valid": True,
        "certificate_number": "SC-2026-000042-8I",
        "student_name": "<script>alert(1)</script> & Ærøe",
        "course_title": "A \"course\" of 'words' $title ${facts}",
        "issue_date": date(2026, 11, 4),
        "grade": "A",
        "revoked_at": None,
        "revoked_reason": None,
    }
    return Verification(**known | facts)


def text(page: Any) -> str:
    return bytes(page.body).decode()


def test_names_are_shown_as_they_are_and_run_nothing() -> None:
    page = verification_page(verification())
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; Ærøe" in text(page)
    assert "&quot;course&quot; of &#x27;words&#x27; $title ${facts}" in text(page)
    assert "<script" not in text(page)
    assert "4 November 2026" in text(page)
    assert "This certificate is valid" in text(page)


def test_a_revoked_certificate_says_when_and_why() -> None:
    revoked = verification(is_valid=False, revoked_at=datetime(2026, 12, 1, tzinfo=UTC), revoked_reason="<b>Copied</b>")
    page = verification_page(revoked)
    assert page.status_code == 200
    assert "This certificate was revoked" in text(page)
    assert "is valid" not in text(page)
    assert "1 December 2026" in text(page)
    assert "&lt;b&gt;Copied&lt;/b&gt;" in text(page)


def test_the_policy_lets_the_pages_own_style_through_and_nothing_else() -> None:
    for page in (verification_page(verification()), unknown_page("Not ours")):
        style = re.search(r"<style>(.*?)</style>", text(page), re.DOTALL)
        assert style is not None
        digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert f"style-src 'sha256-{digest}'" in policy
        assert "unsafe" not in policy
        assert page.headers["vary"] == "Accept"
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert not re.search(r"\b(?:src|href|action|on\w+|style)=", text(page))
    assert page.status_code == 404
