"""A real mail server that keeps what it is given."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from shared.testing.processes import free_port

ACCEPTED = "250 OK"


class Mailbox:
    """``answers`` are given to the next recipients, in order; then everything is accepted, after a pause.
    ``sender_answer`` is given to every sender."""

    def __init__(self, **options: Any) -> None:
        self.port = free_port()
        self.messages: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.was_encrypted: list[bool] = []
        self.logins: list[tuple[bytes, bytes]] = []
        self.answers: list[str] = []
        self.sender_answer = ACCEPTED
        self.pause_seconds = 0.0
        self._options = options
        self._controller: Controller | None = None

    @property
    def message_ids(self) -> list[str]:
        return [message["Message-ID"] for message in self.messages]

    def start(self) -> None:
        if "authenticate" in self._options:
            del self._options["authenticate"]
            # aiosmtpd does not count TLS from the first byte as TLS.
            is_upgraded = "tls_context" in self._options
            self._options |= {
                "authenticator": self._authenticate,
                "auth_required": True,
                "auth_require_tls": is_upgraded,
            }
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **self._options)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.sender_answer == ACCEPTED:
            envelope.mail_from = address
            envelope.mail_options += options
        return self.sender_answer

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = self.answers.pop(0) if self.answers else ACCEPTED
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.recipients += envelope.rcpt_tos
        self.was_encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        self.messages.append(message)
        await asyncio.sleep(self.pause_seconds)
        return ACCEPTED

    def _authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss:word", handled=False)


@contextmanager
def running_mailbox(**options: Any) -> Iterator[Mailbox]:
    mailbox = Mailbox(**options)
    mailbox.start()
    try:
        yield mailbox
    finally:
        mailbox.stop()
