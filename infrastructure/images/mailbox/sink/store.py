"""The mails that are kept, in memory, the latest ones up to a number and a size."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

KEPT_MESSAGES = 500
KEPT_BYTES = 64 * 2**20
DETAILS = ("headers", "text", "html", "attachments")


@dataclass(frozen=True)
class Mail:
    """One mail: whom it went from and to as the mail server was told, and what it says.

    Attributes:
        received_at: ISO 8601, UTC.
        text, html: "" for one that the mail has not.
        attachments: each with filename, content_type and size_bytes.
    """

    id: int
    received_at: str
    sender: str
    recipients: list[str]
    subject: str
    size_bytes: int
    headers: list[tuple[str, str]]
    text: str
    html: str
    attachments: list[dict[str, Any]]

    def summary(self) -> dict[str, Any]:
        """Return what a list shows of it."""
        return {key: value for key, value in asdict(self).items() if key not in DETAILS}


@dataclass
class Store:
    """Mails by the order in which they came. Its methods may be called by several threads."""

    _mails: deque[Mail] = field(default_factory=deque)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, sender: str, recipients: list[str], content: bytes) -> Mail:
        """Keep a mail, at the cost of the oldest ones where there are too many."""
        with self._lock:
            mail = read(next(self._numbers), sender, recipients, content)
            self._mails.append(mail)
            while len(self._mails) > KEPT_MESSAGES or sum(kept.size_bytes for kept in self._mails) > KEPT_BYTES:
                self._mails.popleft()
        return mail

    def list(self, to: str = "") -> list[Mail]:
        """Return the mails, newest first; with `to` those for that address, whatever its case."""
        with self._lock:
            found = list(reversed(self._mails))
        wanted = to.casefold()
        return [mail for mail in found if not wanted or wanted in map(str.casefold, mail.recipients)]

    def find(self, number: int) -> Mail | None:
        return next((mail for mail in self.list() if mail.id == number), None)

    def clear(self) -> None:
        with self._lock:
            self._mails.clear()


def read(number: int, sender: str, recipients: list[str], content: bytes) -> Mail:
    """Take a mail apart; what is broken in it is read as well as it can be."""
    message = message_from_bytes(content, policy=policy.default)
    return Mail(
        id=number,
        received_at=datetime.now(UTC).isoformat(),
        sender=sender,
        recipients=recipients,
        subject=str(message.get("Subject", "")),
        size_bytes=len(content),
        headers=[(name, str(value)) for name, value in message.items()],
        text=body(message, "plain"),
        html=body(message, "html"),
        attachments=[
            {
                "filename": part.get_filename() or "",
                "content_type": part.get_content_type(),
                "size_bytes": len(part.get_payload(decode=True) or b""),
            }
            for part in message.iter_attachments()
        ],
    )


def body(message: EmailMessage, kind: str) -> str:
    """Return the mail's text of a kind (plain or html), "" if it has none."""
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    raw = part.get_payload(decode=True)
    charset = part.get_content_charset("utf-8")
    try:
        return bytes(raw or b"").decode(charset, errors="replace")
    except LookupError:  # a character set that nobody knows
        return bytes(raw or b"").decode("utf-8", errors="replace")
