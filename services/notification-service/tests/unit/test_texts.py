"""What people read."""

import json
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.policy import default
from pathlib import Path
from string import Formatter
from uuid import uuid4

import pytest

from notification_service.channels.email import Composer
from notification_service.core.carrying import Parcel, Person, RejectedError
from notification_service.core.kinds import KINDS
from notification_service.repositories.notification import Message
from notification_service.schemas.delivery import Channel
from notification_service.schemas.notification import NotificationType
from notification_service.services.announcing import composed
from shared.utils.datetime import FixedClock

SERVICES = Path(__file__).parents[3]
COMPOSER = Composer(
    sender=Address("SmartCourse", addr_spec="no-reply@academy.example"),
    public_url="https://academy.example",
    clock=FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC)),
)


def parcel(name: str = "Ada", email: str = "ada@school.example", message: Message | None = None) -> Parcel:
    told = message or composed(NotificationType.WELCOME, {})
    return Parcel(
        id=uuid4(), notification_id=1, type=told.type, title=told.title, body=told.body, link=told.link,
        person=Person(email, name),
    )  # fmt: skip


@pytest.mark.parametrize("kind", NotificationType)
def test_every_kind_has_its_text_and_is_on_in_the_list(kind: NotificationType) -> None:
    rules = KINDS[kind]
    assert Channel.IN_APP in rules.defaults
    assert rules.locked <= rules.defaults


@pytest.mark.parametrize("kind", NotificationType)
def test_no_text_asks_for_personal_data(kind: NotificationType) -> None:
    rules = KINDS[kind]
    fields = {name for text in (rules.title, rules.body, rules.link) for _, name, _, _ in Formatter().parse(text)}
    assert not fields & {"full_name", "email", "user_id", "student_id"}


@pytest.mark.parametrize("kind", NotificationType)
def test_every_link_leads_to_a_route_that_exists(kind: NotificationType) -> None:
    documents = [json.loads(path.read_text()) for path in SERVICES.glob("*/openapi.json")]
    readable = {
        re.sub(r"{\w+}", "{}", path)
        for each in documents
        for path, methods in each["paths"].items()
        if "get" in methods
    }
    assert re.sub(r"{\w+}", "{}", KINDS[kind].link) in readable


def test_braces_in_what_comes_from_outside_are_just_text() -> None:
    title = "{0.__class__} {reason} %s"
    told = composed(NotificationType.ENROLLED, {"course_title": title, "enrollment_id": 1})
    assert told.title == f"You are enrolled in {title}"


def test_html_in_what_comes_from_outside_is_just_text() -> None:
    told = composed(NotificationType.ENROLLED, {"course_title": "<script>alert(1)</script>", "enrollment_id": 1})
    message = COMPOSER.compose(parcel("<img src=x>", message=told))
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert "<script>" not in html.get_content()
    assert "<img" not in html.get_content()
    assert "<script>alert(1)</script>" in text.get_content()
    assert "Hello <img src=x>," in text.get_content()


def test_a_mail_survives_the_wire_byte_for_byte() -> None:
    told = composed(NotificationType.ENROLLED, {"course_title": "艾达·الآلات·Ж" * 30, "enrollment_id": 1})
    sent = COMPOSER.compose(parcel("أدا لوفلايس", message=told))
    raw = sent.as_bytes()
    assert raw.isascii(), "it needs no extension of SMTP"
    assert all(len(line) <= 998 for line in raw.split(b"\r\n")), "RFC 5322, section 2.1.1"
    received = message_from_bytes(raw, policy=default)
    assert received["Subject"] == told.title
    assert received["Date"].datetime == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert received["To"].addresses[0].display_name == "أدا لوفلايس"


def test_the_id_of_a_mail_is_the_same_at_every_attempt() -> None:
    once = parcel()
    first, second = COMPOSER.compose(once), COMPOSER.compose(once)
    assert first["Message-ID"] == second["Message-ID"] == f"<{once.id}@academy.example>"


@pytest.mark.parametrize(
    "address", ["", "ada", "ada@", "@school.example", "ada@school.example\r\nBcc: eve@evil.example"]
)
def test_what_is_no_address_is_rejected_without_being_quoted(address: str) -> None:
    with pytest.raises(RejectedError, match=r"^the address is not one$"):
        COMPOSER.compose(parcel(email=address))
