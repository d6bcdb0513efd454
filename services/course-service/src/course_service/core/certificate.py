"""What a certificate says of itself: its number, its verification code and its grade."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MODULUS = 1271
NUMBER = re.compile(r"SC-(\d{4})-(\d{6,10})-([0-9A-Z]{2})")

CODE = re.compile(r"[A-Za-z0-9_-]{24}")
CODE_BYTES = 18
"""144 bits of chance; 24 characters that a URL holds as they are."""

GRADES = ((Decimal(90), "A"), (Decimal(80), "B"), (Decimal(70), "C"))
PASS = "Pass"  # noqa: S105 - a grade
HUNDREDTH = Decimal("0.01")


def certificate_number(certificate_id: int, *, year: int) -> str:
    """Return the number of a certificate: `SC-2026-000042-8I`, with two check characters at its end."""
    serial = f"{certificate_id:06d}"
    return f"SC-{year:04d}-{serial}-{check_characters(f'SC{year:04d}{serial}')}"


def check_characters(text: str) -> str:
    """Return the two check characters of ISO/IEC 7064, MOD 1271-36, for digits and capital letters.

    They reveal every single wrong character and every pair that changed places.
    """
    remainder = 0
    for character in text:
        remainder = (remainder + ALPHABET.index(character)) * 36 % MODULUS
    check = (1 - remainder * 36) % MODULUS
    return ALPHABET[check // 36] + ALPHABET[check % 36]


def is_certificate_number(text: str) -> bool:
    """Return whether `text` has a number's form and its check characters are right; not whether it was given."""
    match = NUMBER.fullmatch(text)
    return match is not None and check_characters(f"SC{match[1]}{match[2]}") == match[3]


def verification_code() -> str:
    """Return a new code that nobody can guess."""
    return secrets.token_urlsafe(CODE_BYTES)


def grade_of(scores: Sequence[Decimal]) -> tuple[str, Decimal | None]:
    """Return the grade and the mean in percent, to two decimals, of the best scores at the required quizzes.

    A from 90, B from 80, C from 70, else Pass; a course without quizzes is passed, and has no mean.
    """
    if not scores:
        return PASS, None
    mean = (sum(scores, Decimal(0)) / len(scores)).quantize(HUNDREDTH, ROUND_HALF_UP)
    return next((grade for least, grade in GRADES if mean >= least), PASS), mean
