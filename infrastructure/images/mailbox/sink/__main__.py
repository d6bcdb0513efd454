"""A mail server that delivers nothing: it keeps what it is given, and people and tests read it there.

SMTP is spoken on SMTP_PORT (1025). On HTTP_PORT (8025) there are pages for people, and for programs

    GET    /api/messages[?to=address]   {"items": [...], "total": n}, newest first, without what the mails say
    GET    /api/messages/{id}           one mail with headers, text, html and attachments
    DELETE /api/messages                forget them all: 204

PREFIX is the path under which it is published (for example /_mailbox); it answers below it and without it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from . import page
from .store import Store

LARGEST_BYTES = 16 * 2**20
MESSAGE = re.compile(r"(?P<place>/api)?/messages/(?P<id>[0-9]{1,12})")
JSON, HTML, PROBLEM = "application/json", "text/html; charset=utf-8", "application/problem+json"


class Receiver:
    """What the SMTP side does with a mail."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802 - aiosmtpd's signature
        content = envelope.original_content or b""
        mail = self._store.add(envelope.mail_from or "", envelope.rcpt_tos, content)
        print(f"kept mail {mail.id} of {mail.size_bytes} bytes", flush=True)  # whom it is for is nobody's business
        return "250 kept"


class Reader(BaseHTTPRequestHandler):
    """The HTTP side."""

    server_version = "mailbox"
    protocol_version = "HTTP/1.1"
    timeout = 30
    store: Store
    prefix: str

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path, root = url.path.removeprefix(self.prefix), f"{self.prefix}/"
        if path == "" and self.prefix:
            self._answer(HTTPStatus.PERMANENT_REDIRECT, HTML, "", Location=root)
        elif path == "/":
            self._answer(HTTPStatus.OK, HTML, page.inbox(self.store.list(), root=root))
        elif path == "/health":
            self._answer(HTTPStatus.OK, JSON, '{"status": "ok"}')
        elif path == "/api/messages":
            found = self.store.list(parse_qs(url.query).get("to", [""])[0])
            self._json({"items": [mail.summary() for mail in found], "total": len(found)})
        elif match := MESSAGE.fullmatch(path):
            self._message(int(match["id"]), root, is_for_programs=bool(match["place"]))
        else:
            self._problem(HTTPStatus.NOT_FOUND)

    def do_DELETE(self) -> None:
        if urlsplit(self.path).path.removeprefix(self.prefix) == "/api/messages":
            self.store.clear()
            self._answer(HTTPStatus.NO_CONTENT, JSON, "")
        else:
            self._problem(HTTPStatus.NOT_FOUND)

    def _message(self, number: int, root: str, *, is_for_programs: bool) -> None:
        mail = self.store.find(number)
        if mail is None:
            self._problem(HTTPStatus.NOT_FOUND)
        elif is_for_programs:
            self._json(asdict(mail))
        else:
            self._answer(HTTPStatus.OK, HTML, page.message(mail, root=root))

    def _json(self, found: dict[str, Any]) -> None:
        self._answer(HTTPStatus.OK, JSON, json.dumps(found))

    def _problem(self, status: HTTPStatus) -> None:
        self._answer(status, PROBLEM, json.dumps({"type": "about:blank", "title": status.phrase, "status": status}))

    def _answer(self, status: HTTPStatus, content_type: str, text: str, **headers: str) -> None:
        content = text.encode(errors="replace")
        self.send_response(status)
        if status is not HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
        headers |= {
            "Content-Security-Policy": page.CONTENT_SECURITY_POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: probes and reloading pages would fill the log."""


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True


def main() -> int:
    store = Store()
    Reader.store, Reader.prefix = store, os.environ.get("PREFIX", "").rstrip("/")
    everywhere = "0.0.0.0"  # noqa: S104 - what it is for is to be reached
    smtp = Controller(Receiver(store), hostname=everywhere, port=int(os.environ.get("SMTP_PORT", "1025")),
                      data_size_limit=LARGEST_BYTES, ident="mailbox")  # fmt: skip
    http = HttpServer((everywhere, int(os.environ.get("HTTP_PORT", "8025"))), Reader)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    smtp.start()
    print(f"SMTP on {smtp.port}, HTTP on {http.server_port}", flush=True)
    try:
        http.serve_forever()
    finally:
        smtp.stop()
        http.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
