"""The mail sink as a process of its own: spoken to by SMTP, read by HTTP."""

from __future__ import annotations

import os
import smtplib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

IMAGE = Path(__file__).resolve().parents[2] / "images" / "mailbox"
START_SECONDS = 20
ATTACK = "<script>fetch('//evil.example')</script>\"'"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mailbox:
    """The running sink."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self.smtp_port, self.http_port = free_port(), free_port()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.http_port}", trust_env=False)
        environment = {"SMTP_PORT": str(self.smtp_port), "HTTP_PORT": str(self.http_port), "PREFIX": "/_mailbox"}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sink"], cwd=IMAGE, env=os.environ | environment, stdout=output, stderr=output
            )

    def wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.client.get("/health").raise_for_status()
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"no answer within {START_SECONDS} s: {self.log.read_text(encoding='utf-8')}")

    def send(self, message: EmailMessage | bytes, *, to: str = "ada@example.org") -> None:
        content = message if isinstance(message, bytes) else message.as_bytes()
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as smtp:
            smtp.sendmail("no-reply@example.org", [to], content)

    def list(self, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/api/messages", params=query).raise_for_status().json()["items"]
        return found

    def get(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get(f"/api/messages/{number}").raise_for_status().json()
        return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    made = Mailbox(tmp_path_factory.mktemp("mailbox") / "log")
    try:
        made.wait()
        yield made
    finally:
        made.process.terminate()
        assert made.process.wait(timeout=10) == 0, "it ends well on SIGTERM"
        made.client.close()


@pytest.fixture
def mailbox(running: Mailbox) -> Mailbox:
    """The sink with nothing in it."""
    assert running.client.delete("/api/messages").status_code == 204
    return running


def letter(subject: str = "Willkommen, Ādā 你好", text: str = "Grüße\n", html: str = "<p>Grüße</p>") -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "no-reply@example.org", "ada@example.org"
    message["Message-ID"] = "<one@example.org>"
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message


def test_a_mail_is_kept_as_it_was_written_in_any_script(mailbox: Mailbox) -> None:
    message = letter()
    message.add_attachment(b"%PDF-", maintype="application", subtype="pdf", filename="Zeugnis.pdf")
    mailbox.send(message)
    (summary,) = mailbox.list()
    assert (summary["subject"], summary["recipients"]) == ("Willkommen, Ādā 你好", ["ada@example.org"])
    assert "text" not in summary
    mail = mailbox.get(summary["id"])
    assert (mail["text"].strip(), mail["html"].strip()) == ("Grüße", "<p>Grüße</p>")
    assert ["Message-ID", "<one@example.org>"] in mail["headers"]
    assert mail["attachments"] == [{"filename": "Zeugnis.pdf", "content_type": "application/pdf", "size_bytes": 5}]


def test_mails_are_found_by_recipient_newest_first(mailbox: Mailbox) -> None:
    for number, to in enumerate(("ada@example.org", "bob@example.org", "Ada@Example.org")):
        mailbox.send(letter(subject=f"number {number}"), to=to)
    assert [mail["subject"] for mail in mailbox.list()] == ["number 2", "number 1", "number 0"]
    assert [mail["subject"] for mail in mailbox.list(to="ada@example.ORG")] == ["number 2", "number 0"]
    assert mailbox.list(to="nobody@example.org") == []


def test_mails_sent_at_once_are_all_kept_under_numbers_of_their_own(mailbox: Mailbox) -> None:
    threads = [threading.Thread(target=mailbox.send, args=(letter(subject=str(number)),)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = mailbox.list()
    assert {mail["subject"] for mail in found} == {str(number) for number in range(20)}
    assert len({mail["id"] for mail in found}) == 20


def test_the_latest_five_hundred_are_kept(mailbox: Mailbox) -> None:
    with smtplib.SMTP("127.0.0.1", mailbox.smtp_port, timeout=30) as smtp:
        for number in range(503):
            smtp.sendmail("a@example.org", ["b@example.org"], f"Subject: {number}\r\n\r\nx")
    subjects = [mail["subject"] for mail in mailbox.list()]
    assert (len(subjects), subjects[0], subjects[-1]) == (500, "502", "3")


def test_large_mails_push_out_older_ones_and_too_large_ones_are_refused(mailbox: Mailbox) -> None:
    for number in range(6):
        mailbox.send(f"Subject: {number}\r\n\r\n".encode() + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 200_000)
    assert [mail["subject"] for mail in mailbox.list()] == ["5", "4", "3", "2"]
    with pytest.raises(smtplib.SMTPSenderRefused, match="552"):
        mailbox.send(b"Subject: huge\r\n\r\n" + (b"z" * 70 + b"\r\n") * 300_000)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no header at all",
        b"Subject: =?utf-9?q?broken?=\r\n\r\nbody",
        b"Content-Type: text/plain; charset=klingon\r\n\r\n\xff\xfe body",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nunfinished",
    ],
)
def test_a_broken_mail_is_kept_and_can_be_looked_at(mailbox: Mailbox, content: bytes) -> None:
    mailbox.send(content)
    (mail,) = mailbox.list()
    assert mailbox.get(mail["id"])["id"] == mail["id"]
    assert mailbox.client.get(f"/messages/{mail['id']}").status_code == 200


def test_pages_show_mails_and_run_nothing_that_is_in_them(mailbox: Mailbox) -> None:
    mailbox.send(letter(subject=ATTACK, text=ATTACK, html=f"<p>{ATTACK}</p>"))
    (mail,) = mailbox.list()
    inbox, message = (mailbox.client.get(path) for path in ("/_mailbox/", f"/_mailbox/messages/{mail['id']}"))
    for page in (inbox, message):
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert '<base href="/_mailbox/">' in page.text
    assert f'href="messages/{mail["id"]}"' in inbox.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox" srcdoc="&lt;base' in message.text


def test_it_answers_below_its_prefix_and_without_it(mailbox: Mailbox) -> None:
    mailbox.send(letter())
    bare, prefixed = (mailbox.client.get(f"{prefix}/api/messages").json() for prefix in ("", "/_mailbox"))
    assert bare == prefixed
    assert bare["total"] == 1
    moved = mailbox.client.get("/_mailbox")
    assert (moved.status_code, moved.headers["Location"]) == (308, "/_mailbox/")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/messages/999999"), ("GET", "/messages/999999"), ("GET", "/other"), ("DELETE", "/api/messages/1")],
)
def test_what_is_not_there_is_a_problem_of_404(mailbox: Mailbox, method: str, path: str) -> None:
    answer = mailbox.client.request(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
    assert answer.json()["title"] == "Not Found"


def test_it_does_not_say_whom_a_mail_was_for(mailbox: Mailbox) -> None:
    mailbox.send(letter())
    (mail,) = mailbox.list()
    told = mailbox.log.read_text(encoding="utf-8")
    assert f"kept mail {mail['id']} of {mail['size_bytes']} bytes" in told
    assert "example.org" not in told
