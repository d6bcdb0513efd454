"""The page that a browser is shown when a certificate is verified."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from html import escape
from importlib.resources import files
from string import Template

from fastapi import Response

from course_service.schemas.certificate import Verification

HTML = "text/html"
QUALITY = re.compile(r"q=([01](?:\.\d{0,3})?)")
STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


def prefers_html(accept: str) -> bool:
    """Return whether a client that sends this Accept header likes HTML better than JSON."""
    return _quality(accept, "text/html") > _quality(accept, "application/json")


def verification_page(found: Verification) -> Response:
    """Return the page of a certificate that exists, revoked or not."""
    facts = {
        "Awarded to": found.student_name,
        "Course": found.course_title,
        "Date of issue": f"{found.issue_date:%-d %B %Y}",
        "Grade": found.grade,
        "Certificate number": found.certificate_number,
    }
    if found.revoked_at is not None:
        facts |= {"Revoked on": f"{found.revoked_at:%-d %B %Y}", "Reason": found.revoked_reason or ""}
    if found.is_valid:
        return _page(200, "valid", "This certificate is valid", facts)
    return _page(200, "revoked", "This certificate was revoked", facts)


def unknown_page(title: str) -> Response:
    """Return the page for a code that no certificate has."""
    return _page(404, "unknown", title, {"What to do": "Check the address, or scan the code on the certificate again."})


def _page(status: int, state: str, title: str, facts: dict[str, str]) -> Response:
    rows = "\n".join(f"<dt>{escape(name)}</dt><dd><bdi>{escape(value)}</bdi></dd>" for name, value in facts.items())
    text = Template(_template()).substitute(state=state, title=escape(title), facts=rows)
    headers = {"Vary": "Accept", "Cache-Control": "no-cache", "Content-Security-Policy": _policy()}
    return Response(text, status, headers | {"X-Content-Type-Options": "nosniff"}, f"{HTML}; charset=utf-8")


@cache
def _template() -> str:
    return files("course_service.api").joinpath("verification.html.template").read_text(encoding="utf-8")


@cache
def _policy() -> str:
    """Nothing runs, nothing is fetched, nothing is sent; of styles only the page's own."""
    style = STYLE.search(_template())
    digest = base64.b64encode(hashlib.sha256(style[1].encode() if style else b"").digest()).decode()
    denied = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return f"{denied}; style-src 'sha256-{digest}'"


def _quality(accept: str, media_type: str) -> float:
    """Return how much a client likes a type, 0 to 1: the most particular of its ranges counts."""
    ranges = {"*/*": 0, f"{media_type.partition('/')[0]}/*": 1, media_type: 2}
    best, quality = -1, 0.0 if accept.strip() else 1.0
    for item in accept.split(","):
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if ranges.get(name, -1) > best:
            weights = [match[1] for match in map(QUALITY.fullmatch, parameters) if match]
            best, quality = ranges[name], float(weights[0]) if weights else 1.0
    return quality
