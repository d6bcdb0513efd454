"""Mail: one message in text and HTML to the person's address, by SMTP."""

import ssl
from contextlib import suppress
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import ClassVar

import aiosmtplib
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from notification_service.config import MailServer, StartTls
from notification_service.core.carrying import (
    CarrierUnavailableError,
    CarryingError,
    Parcel,
    RejectedError,
    RetryLaterError,
    display_name,
)
from notification_service.core.kinds import KINDS
from notification_service.schemas.delivery import Channel
from shared.utils.datetime import Clock

PREFERENCES_PATH = "/api/notifications/preferences"
COMMAND_TIMEOUT_SECONDS = 10.0

WANTS_PROOF = frozenset({530, 534, 535, 538})
"""Who we are is in doubt, not what we send (RFC 4954, section 6; RFC 3207, section 4)."""
ABOUT_THE_MESSAGE = frozenset({552, 555})
"""It is too big, or needs an extension that the server lacks: answers to MAIL that the sender is not the reason for."""

_STARTTLS: dict[StartTls, bool | None] = {"auto": None, "always": True, "never": False}

_templates = Environment(
    loader=PackageLoader("notification_service.channels", "."),
    autoescape=select_autoescape(["html.template"], default=False),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Composer:
    """Makes the message. ``public_url`` has no slash at its end."""

    def __init__(self, *, sender: Address, public_url: str, clock: Clock) -> None:
        self._sender, self._public_url, self._clock = sender, public_url, clock

    def compose(self, parcel: Parcel) -> EmailMessage:
        """The same headers at every attempt but for the date.

        Raises:
            RejectedError: the person's address is none.
        """
        message = EmailMessage(policy=SMTP)
        name = display_name(parcel.person.full_name)
        message["From"] = self._sender
        try:
            message["To"] = Address(display_name=name, addr_spec=parcel.person.email)
        except (ValueError, IndexError, HeaderParseError):  # the standard library's parser raises any of them
            raise RejectedError("the address is not one") from None
        message["Subject"] = display_name(parcel.title)
        message["Date"] = self._clock.now()
        message["Message-ID"] = f"<{parcel.id}@{self._sender.domain}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        message["List-Unsubscribe"] = f"<{self._public_url}{PREFERENCES_PATH}>"
        facts = self._facts(parcel, name)
        message.set_content(_templates.get_template("mail.txt.template").render(facts))
        message.add_alternative(_templates.get_template("mail.html.template").render(facts), subtype="html")
        return message

    def _facts(self, parcel: Parcel, name: str) -> dict[str, str]:
        return {
            "name": name,
            "title": parcel.title,
            "body": parcel.body,
            "action": KINDS[parcel.type].action,
            "url": f"{self._public_url}{parcel.link}",
            "preferences_url": f"{self._public_url}{PREFERENCES_PATH}",
        }


class EmailCarrier:
    """Hands each message over on a connection of its own.

    Whatever goes wrong before the server has let us in and taken us as the sender is the installation's; what
    follows is the message's.
    """

    channel: ClassVar[Channel] = Channel.EMAIL

    def __init__(self, *, server: MailServer, composer: Composer, sender: Address) -> None:
        self._server, self._composer, self._sender = server, composer, sender
        self._tls = ssl.create_default_context()  # trusts what SSL_CERT_FILE says, where that is set

    async def carry(self, parcel: Parcel) -> None:
        """Raises CarrierUnavailableError, RetryLaterError, RejectedError."""
        message = self._composer.compose(parcel)
        client = self._client()
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            raise CarrierUnavailableError(f"the mail server does not let us in: {_code(error)}") from error
        try:
            await client.send_message(message, sender=self._sender.addr_spec, recipients=[parcel.person.email])
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _judged(error.recipients[0]) from None  # its text may quote the address
        except aiosmtplib.SMTPSenderRefused as error:
            if error.code in ABOUT_THE_MESSAGE:
                raise _judged(error) from None
            raise CarrierUnavailableError(f"the mail server refuses the sender (SMTP_FROM): {error.code}") from None
        except aiosmtplib.SMTPResponseException as error:
            raise _judged(error) from None
        except (aiosmtplib.SMTPNotSupported, ValueError) as error:
            raise RejectedError(f"the message cannot be sent: {type(error).__name__}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise RetryLaterError(f"the mail server broke off: {type(error).__name__}") from error
        finally:
            await _leave(client)

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            use_tls=server.is_tls,
            start_tls=False if server.is_tls else _STARTTLS[server.starttls],
            tls_context=self._tls,
            username=server.username,
            password=server.password.get_secret_value() if server.password else None,
            local_hostname=self._sender.domain,
            timeout=COMMAND_TIMEOUT_SECONDS,
        )


def _judged(error: aiosmtplib.SMTPResponseException) -> CarryingError:
    """RFC 5321, section 4.2.1: 5yz is final, 4yz is not. The server's text is left out: it may quote the address."""
    reason = f"the mail server answered {error.code}"
    if error.code in WANTS_PROOF:
        return CarrierUnavailableError(f"{reason}: it wants the user and password of SMTP_URL, or encryption")
    return RejectedError(reason) if error.code >= 500 else RetryLaterError(reason)


def _code(error: Exception) -> str:
    code = getattr(error, "code", None)
    return f"{type(error).__name__} {code}" if code else type(error).__name__


async def _leave(client: aiosmtplib.SMTP) -> None:
    """The message's fate is settled: a goodbye that fails changes nothing."""
    with suppress(aiosmtplib.SMTPException, OSError):
        await client.quit(timeout=1.0)
    client.close()
