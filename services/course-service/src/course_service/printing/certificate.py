"""From a certificate's facts to its PDF."""

from __future__ import annotations

import unicodedata
from datetime import date
from html import escape
from importlib.resources import files
from string import Template

import segno
import weasyprint

from course_service.printing.facts import CertificateFacts

ISOLATING = "\u2066\u2067\u2068\u2069\u202a\u202b\u202c\u202d\u202e\u200e\u200f"
"""Characters that turn the direction of what follows; a name must not rearrange the text around it."""

NAME_SIZES = ((22, 50), (34, 38), (56, 28), (90, 22), (150, 18), (10_000, 14))
TITLE_SIZES = ((34, 26), (60, 20), (110, 17), (10_000, 13))
"""Up to that many columns, that many points: an ideograph takes two columns."""


def certificate_pdf(facts: CertificateFacts) -> bytes:
    """Render one page of A4, on its side. Nothing is fetched: what the page shows is in the page."""
    template = files("course_service.printing").joinpath("certificate.html.template").read_text(encoding="utf-8")
    name, title = printable(facts.learner_name), printable(facts.course_title)
    values = {
        "learner_name": name,
        "name_points": f"{_points(name, NAME_SIZES)}",
        "course_title": title,
        "title_points": f"{_points(title, TITLE_SIZES)}",
        "language": facts.language or "",
        "date": f"{date.fromisoformat(facts.issue_date):%-d %B %Y}",
        "iso_date": facts.issue_date,
        "number": facts.certificate_number,
        "grade": facts.grade,
        "score": f"{facts.score_percentage} %" if facts.score_percentage else "",
        "url": facts.verification_url,
        "qr": segno.make(facts.verification_url, error="m").svg_data_uri(border=0, dark="#14213d", light=None),
    }
    html = Template(template).substitute({key: escape(value) for key, value in values.items()})
    only_inline = weasyprint.URLFetcher(allowed_protocols={"data"})
    pdf: bytes = weasyprint.HTML(string=html, url_fetcher=only_inline).write_pdf(pdf_variant="pdf/ua-1")
    return pdf


def printable(text: str) -> str:
    """Return `text` on one line, composed (NFC), without control characters or changes of direction."""
    kept = (
        character
        for character in unicodedata.normalize("NFC", " ".join(text.split()))
        if unicodedata.category(character) != "Cc" and character not in ISOLATING
    )
    return "".join(kept)


def _points(text: str, sizes: tuple[tuple[int, float], ...]) -> float:
    columns = sum(_columns(character) for character in text)
    return next(points for limit, points in sizes if columns <= limit)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
