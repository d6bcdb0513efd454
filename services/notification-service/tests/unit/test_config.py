"""What may be configured, and how mistakes are told."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from push_server import base64url

from notification_service.config import MailServer, Settings
from shared.config.settings import load

KEY = generate_private_key(SECP256R1())
RAW_KEY = base64url(KEY.private_numbers().private_value.to_bytes(32, "big"))


def pem(key: object) -> str:
    text: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined]
    return text.decode()


@pytest.fixture(autouse=True)
def _complete(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.chdir(str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://notification_a:x@localhost/smartcourse")
    monkeypatch.setenv("REDIS_URL", "redis://localhost")
    monkeypatch.setenv("GATEWAY_IDENTITY_KEY", "k" * 32)


def test_mail_and_push_are_off_unless_they_are_configured() -> None:
    settings = load(Settings)
    assert (settings.mail_server, settings.vapid_key) == (None, None)
    assert (settings.public_url, settings.retention_days) == ("http://localhost:8080", 90)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mailbox:1025", MailServer("mailbox", 1025, is_tls=False)),
        ("smtp://mailbox", MailServer("mailbox", 587, is_tls=False)),
        ("smtps://mailbox", MailServer("mailbox", 465, is_tls=True)),
        ("smtp://[::1]:25/", MailServer("::1", 25, is_tls=False)),
    ],
)
def test_the_mail_servers_address_is_read(monkeypatch: pytest.MonkeyPatch, url: str, server: MailServer) -> None:
    monkeypatch.setenv("SMTP_URL", url)
    monkeypatch.setenv("SMTP_FROM", "SmartCourse <no-reply@academy.example>")
    assert load(Settings).mail_server == server


def test_credentials_of_the_mail_server_may_hold_any_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://ada%40academy:p%40ss%3A%2F@mailbox:25")
    monkeypatch.setenv("SMTP_FROM", "no-reply@academy.example")
    server = load(Settings).mail_server
    assert server is not None
    assert server.password is not None
    assert (server.username, server.password.get_secret_value()) == ("ada@academy", "p@ss:/")
    assert "p@ss" not in repr(server)


@pytest.mark.parametrize("text", [RAW_KEY, pem(KEY)])
def test_a_vapid_key_is_read_raw_or_as_pem(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("VAPID_PRIVATE_KEY", text)
    monkeypatch.setenv("VAPID_SUBJECT", "mailto:admin@academy.example")
    key = load(Settings).vapid_key
    assert key is not None
    point = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert key.public_key == base64url(point)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"GATEWAY_IDENTITY_KEY": "too-short"}, "GATEWAY_IDENTITY_KEY: must be at least 32 bytes"),
        ({"SMTP_URL": "http://hidden"}, "SMTP_URL: must look like smtp://"),
        ({"SMTP_URL": "smtp://hidden:port"}, "SMTP_URL: must look like smtp://"),
        ({"SMTP_URL": "smtp://hidden:1025"}, "SMTP_URL needs SMTP_FROM"),
        ({"SMTP_FROM": "hidden"}, "SMTP_FROM: must look like: SmartCourse <"),
        ({"SMTP_FROM": "A\nBcc: hidden <a@b>"}, "SMTP_FROM: must look like: SmartCourse <"),
        ({"SMTP_STARTTLS": "hidden"}, "SMTP_STARTTLS: "),
        ({"PUBLIC_URL": "hidden.example"}, "PUBLIC_URL: must look like https://"),
        ({"VAPID_PRIVATE_KEY": "hidden"}, "VAPID_PRIVATE_KEY: must be 32 bytes in base64url or PEM"),
        ({"VAPID_PRIVATE_KEY": base64url(b"\0" * 32)}, "VAPID_PRIVATE_KEY: must be 32 bytes in base64url or PEM"),
        ({"VAPID_PRIVATE_KEY": pem(generate_private_key(SECP384R1()))}, "VAPID_PRIVATE_KEY: .*on P-256"),
        ({"VAPID_PRIVATE_KEY": RAW_KEY}, "VAPID_PRIVATE_KEY needs VAPID_SUBJECT"),
        ({"VAPID_SUBJECT": "hidden@academy.example"}, "VAPID_SUBJECT: must begin with mailto:"),
        ({"RETENTION_DAYS": "0"}, "RETENTION_DAYS: "),
    ],
)
def test_a_mistake_is_named_and_never_quoted(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, str], message: str
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=message) as refused:
        load(Settings)
    assert not [value for value in change.values() if value in str(refused.value) and len(value) > 1]
    assert "hidden" not in str(refused.value)
