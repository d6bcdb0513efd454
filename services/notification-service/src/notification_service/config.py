"""Configuration of notification-service, from the environment (see `.env.example`)."""

from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from notification_service.channels.vapid import VapidKey
from shared.config.settings import BrokerSettings, DatabaseSettings, ServiceSettings

SMTP_PORTS = {"smtp": 587, "smtps": 465}
StartTls = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over. ``is_tls``: from the first byte; otherwise ``starttls`` says."""

    host: str
    port: int
    is_tls: bool
    starttls: StartTls = "auto"
    username: str | None = None
    password: SecretStr | None = None


class Settings(ServiceSettings, DatabaseSettings, BrokerSettings):
    """All of it; what has no default must be given. Without SMTP_URL there is no mail, without VAPID_PRIVATE_KEY no
    push; the in-app list is always there."""

    service_name: str = "notification-service"
    public_url: str = "http://localhost:8080"
    retention_days: Annotated[int, Field(ge=1, le=3650)] = 90

    smtp_url: SecretStr | None = None
    smtp_from: str | None = None
    smtp_starttls: StartTls = "auto"

    vapid_private_key: SecretStr | None = None
    vapid_subject: str | None = None
    push_allow_private: bool = False

    @field_validator("public_url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must look like https://academy.example.org")
        return value.rstrip("/")

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _mail_server(value, "auto")
        return value

    @field_validator("smtp_from")
    @classmethod
    def _is_sender(cls, value: str | None) -> str | None:
        if value is not None:
            _sender(value)
        return value

    @field_validator("vapid_private_key")
    @classmethod
    def _is_vapid_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            VapidKey(value)
        return value

    @field_validator("vapid_subject")
    @classmethod
    def _is_contact(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("mailto:", "https://")):
            raise ValueError("must begin with mailto: or https://, push services complain there")
        return value

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.smtp_url is not None and self.smtp_from is None:
            raise ValueError("SMTP_URL needs SMTP_FROM beside it, such as: SmartCourse <no-reply@example.org>")
        if self.vapid_private_key is not None and self.vapid_subject is None:
            raise ValueError("VAPID_PRIVATE_KEY needs VAPID_SUBJECT beside it, such as: mailto:admin@example.org")
        return self

    @property
    def mail_server(self) -> MailServer | None:
        """None where mail is off."""
        return _mail_server(self.smtp_url, self.smtp_starttls) if self.smtp_url else None

    @property
    def sender(self) -> Address | None:
        return _sender(self.smtp_from) if self.smtp_from else None

    @property
    def vapid_key(self) -> VapidKey | None:
        """None where push is off."""
        return VapidKey(self.vapid_private_key) if self.vapid_private_key else None


def _mail_server(url: SecretStr, starttls: StartTls) -> MailServer:
    """Raises ValueError without quoting the URL."""
    complaint = "must look like smtp://user:password@host:587 or smtps://host:465 (special characters %-encoded)"
    try:
        parts = urlsplit(url.get_secret_value())
        port = parts.port
    except ValueError:
        raise ValueError(complaint) from None
    if parts.scheme not in SMTP_PORTS or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise ValueError(complaint)
    return MailServer(
        host=parts.hostname,
        port=port or SMTP_PORTS[parts.scheme],
        is_tls=parts.scheme == "smtps",
        starttls=starttls,
        username=unquote(parts.username) if parts.username else None,
        password=SecretStr(unquote(parts.password)) if parts.password else None,
    )


def _sender(text: str) -> Address:
    name, address = parseaddr(text) if text.isprintable() else ("", "")
    try:
        sender = Address(display_name=name, addr_spec=address)
    except (ValueError, IndexError, HeaderParseError):
        sender = Address()
    if not sender.username or not sender.domain:
        raise ValueError("must look like: SmartCourse <no-reply@example.org>")
    return sender
