"""Mail, from an event to a real mail server."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from mail_server import Mailbox, running_mailbox
from notification_certificates import make_certificate
from opentelemetry.trace import format_trace_id, get_tracer
from prometheus_client import REGISTRY

PREFERENCES_URL = "https://academy.example/api/notifications/preferences"


async def test_an_enrollment_is_mailed_in_text_and_html_to_the_persons_address(
    mail_world: Any, mailbox: Mailbox
) -> None:
    ada = await mail_world.new_user("Ada Lovelace")
    await mail_world.deliver(mail_world.enrollment(ada))
    await mail_world.delivered()
    [message] = mailbox.messages
    assert mailbox.recipients == [await mail_world.address(ada)]
    assert message["To"].addresses[0].display_name == "Ada Lovelace"
    assert message["From"] == "SmartCourse <no-reply@academy.example>"
    assert message["Subject"] == "You are enrolled in Analytical Engines"
    assert message["List-Unsubscribe"] == f"<{PREFERENCES_URL}>"
    assert message["Auto-Submitted"] == "auto-generated"
    [delivery_id] = [row["id"] for row in await mail_world.sql.fetch("SELECT id FROM notification_deliveries")]
    assert message["Message-ID"] == f"<{delivery_id}@academy.example>"
    assert message.get_content_type() == "multipart/alternative"
    for kind in ("plain", "html"):
        body = message.get_body((kind,))
        assert body is not None
        text = body.get_content()
        for told in ("Ada Lovelace", "Analytical Engines", "https://academy.example/api/enrollments/7"):
            assert told in text
        assert PREFERENCES_URL in text


async def test_the_address_and_name_of_the_moment_of_sending_are_used(
    start: Any, with_mail: dict[str, Any], mailbox: Mailbox
) -> None:
    mailbox.stop()
    async with start(**with_mail) as world:
        ada = await world.new_user()
        await world.deliver(world.enrollment(ada))
        await world.settled()
    await world.sql.execute("UPDATE users SET email = 'new@school.example', full_name = 'Countess' WHERE id = $1", ada)
    mailbox.start()
    async with start(**with_mail) as world:
        await world.delivered()
    [message] = mailbox.messages
    assert mailbox.recipients == ["new@school.example"]
    assert message["To"].addresses[0].display_name == "Countess"


async def test_a_closed_account_gets_no_mail(start: Any, with_mail: dict[str, Any], mailbox: Mailbox) -> None:
    mailbox.stop()
    async with start(**with_mail) as world:
        ada = await world.new_user()
        await world.deliver(world.enrollment(ada))
        await world.settled()
        await world.sql.execute("UPDATE users SET is_active = false WHERE id = $1", ada)
        await world.delivered()
        assert await world.deliveries() == ["cancelled"]
        mailbox.start()
        await world.deliver(world.enrollment(await world.new_user()))
        await world.delivered()
        assert await world.deliveries() == ["cancelled", "sent"]
    assert len(mailbox.messages) == 1


async def test_without_a_mail_server_setting_nothing_is_kept_to_be_mailed(world: Any) -> None:
    ada = await world.new_user()
    await world.deliver(world.enrollment(ada))
    await world.settled()
    assert await world.titles(ada) == ["You are enrolled in Analytical Engines"]
    assert await world.deliveries() == []
    assert REGISTRY.get_sample_value("smartcourse_channel_enabled", {"channel": "email"}) == 0
    async with world.client(ada) as client:
        assert (await client.get("/api/notifications/preferences")).json()["channels"] == ["in_app"]


async def test_while_the_mail_server_is_away_mails_wait_and_the_list_works(
    mail_world: Any, mailbox: Mailbox, eventually: Any
) -> None:
    mailbox.stop()
    ada = await mail_world.new_user()
    await mail_world.deliver(*(mail_world.enrollment(ada) for _ in range(3)))
    await mail_world.settled()
    assert len(await mail_world.titles(ada)) == 3

    async def is_measured() -> bool:
        labels = {"channel": "email", "state": "pending"}
        return REGISTRY.get_sample_value("smartcourse_deliveries", labels) == 3

    await eventually(is_measured)
    # More than the attempts that a mail has before it is given up: an absent server is no fault of the mail.
    await asyncio.sleep(1.5)
    async with mail_world.stranger() as client:
        assert (await client.get("/health/ready")).status_code == 200
    assert await mail_world.deliveries() == ["pending"] * 3
    mailbox.start()
    await mail_world.delivered()
    assert len(set(mailbox.message_ids)) == len(mailbox.messages) == 3


@pytest.mark.parametrize("answer", ["450 4.2.1 mailbox busy", "421 4.3.0 closing down"])
async def test_a_refusal_that_passes_is_tried_again(mail_world: Any, mailbox: Mailbox, answer: str) -> None:
    mailbox.answers = [answer]
    ada = await mail_world.new_user()
    await mail_world.deliver(mail_world.enrollment(ada))
    await mail_world.delivered()
    assert len(mailbox.messages) == 1
    assert await mail_world.sql.fetchval("SELECT attempts FROM notification_deliveries") == 2


async def test_a_final_refusal_is_a_dead_letter_at_once_and_holds_up_nobody(mail_world: Any, mailbox: Mailbox) -> None:
    mailbox.answers = ["550 5.1.1 no such user"]
    ada, bob = await mail_world.new_user(), await mail_world.new_user("Bob")
    await mail_world.deliver(mail_world.enrollment(ada))
    await mail_world.delivered()
    await mail_world.deliver(mail_world.enrollment(bob))
    await mail_world.delivered()
    assert await mail_world.deliveries() == ["dead", "sent"]
    row = await mail_world.sql.fetchrow("SELECT attempts, reason FROM notification_deliveries WHERE state = 'dead'")
    assert tuple(row) == (1, "the mail server answered 550")


@pytest.mark.parametrize("answer", ["550 5.7.1 sender denied", "530 5.7.0 authentication required", "451 4.7.1 later"])
async def test_a_refused_sender_is_no_fault_of_the_mails_which_wait(
    mail_world: Any, mailbox: Mailbox, eventually: Any, answer: str
) -> None:
    mailbox.sender_answer = answer
    ada = await mail_world.new_user()
    await mail_world.deliver(*(mail_world.enrollment(ada) for _ in range(3)))
    labels = {"channel": "email", "outcome": "unavailable"}
    before = REGISTRY.get_sample_value("smartcourse_delivery_attempts_total", labels) or 0

    async def was_refused_often() -> bool:
        # More often than the attempts that each of the three has before it is given up.
        return (REGISTRY.get_sample_value("smartcourse_delivery_attempts_total", labels) or 0) > before + 10

    await eventually(was_refused_often)
    assert await mail_world.deliveries() == ["pending"] * 3
    mailbox.sender_answer = "250 OK"
    await mail_world.delivered()
    assert await mail_world.deliveries() == ["sent"] * 3


async def test_a_recipient_refused_for_want_of_a_password_waits(mail_world: Any, mailbox: Mailbox) -> None:
    mailbox.answers = ["530 5.7.0 authentication required"] * 4
    ada = await mail_world.new_user()
    await mail_world.deliver(mail_world.enrollment(ada))
    await mail_world.delivered()
    assert await mail_world.deliveries() == ["sent"]
    assert await mail_world.sql.fetchval("SELECT attempts FROM notification_deliveries") == 1


async def test_a_message_too_big_for_the_server_holds_up_nobody(mail_world: Any, mailbox: Mailbox) -> None:
    mailbox.sender_answer = "552 5.3.4 message too big"
    ada = await mail_world.new_user()
    await mail_world.deliver(mail_world.enrollment(ada))
    await mail_world.delivered()
    assert await mail_world.deliveries() == ["dead"]


async def test_a_mail_that_is_always_put_off_is_given_up_in_the_end(mail_world: Any, mailbox: Mailbox) -> None:
    mailbox.answers = ["450 4.2.1 mailbox busy"] * 3
    ada = await mail_world.new_user()
    await mail_world.deliver(mail_world.enrollment(ada))
    await mail_world.delivered()
    assert await mail_world.deliveries() == ["dead"]
    reason = await mail_world.sql.fetchval("SELECT reason FROM notification_deliveries")
    assert reason == "3 attempts failed, the last: the mail server answered 450"


@pytest.mark.parametrize(
    ("full_name", "title"),
    [
        ("أدا لوفلايس", "الخوارزميات"),
        ("艾达·洛芙莱斯", "分析机"),
        ("Ада Лавлейс", "Машины"),
        ('O\'Neil, "Ada" <admin@evil.example>', "A & B <b>"),
        ("Ada\r\nBcc: everybody@evil.example", "Line\r\nSubject: mine"),
    ],
)
async def test_names_in_any_script_arrive_and_nothing_can_be_smuggled_in(
    mail_world: Any, mailbox: Mailbox, full_name: str, title: str
) -> None:
    ada = await mail_world.new_user(full_name)
    await mail_world.deliver(mail_world.enrollment(ada, title))
    await mail_world.delivered()
    [message] = mailbox.messages
    [address] = message["To"].addresses
    assert address.display_name == " ".join(full_name.split())
    assert mailbox.recipients == [address.addr_spec] == [await mail_world.address(ada)]
    assert message["Bcc"] is None
    assert message["Subject"] == f"You are enrolled in {' '.join(title.split())}"
    html = message.get_body(("html",))
    assert html is not None
    assert "<b>" not in html.get_content()


async def test_two_replicas_share_the_work_and_send_each_mail_once(
    start: Any, with_mail: dict[str, Any], mailbox: Mailbox
) -> None:
    mailbox.stop()
    async with start(**with_mail) as world, start(**with_mail), start(**with_mail):
        ada = await world.new_user()
        await world.deliver(*(world.enrollment(ada, f"Course {number}") for number in range(60)))
        await world.settled()
        mailbox.start()
        await world.delivered(seconds=40)
    assert len(set(mailbox.message_ids)) == len(mailbox.messages) == 60


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # aiosmtpd counts STARTTLS only
@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
async def test_mail_is_encrypted_and_the_password_is_used(
    start: Any, with_mail: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    authority, tls = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    options = {"ssl_context": tls} if scheme == "smtps" else {"tls_context": tls, "require_starttls": True}
    with running_mailbox(authenticate=True, **options) as mailbox:
        with_mail["smtp_url"] = f"{scheme}://ada:p%40ss%3Aword@localhost:{mailbox.port}"
        async with start(**with_mail, smtp_starttls="always") as world:
            ada = await world.new_user()
            await world.deliver(world.enrollment(ada))
            await world.delivered()
    assert len(mailbox.messages) == 1
    assert mailbox.was_encrypted == [True]
    assert mailbox.logins == [(b"ada", b"p@ss:word")]


async def test_a_certificate_that_nobody_trusts_gets_no_mail(
    start: Any, with_mail: dict[str, Any], tmp_path: Path, eventually: Any
) -> None:
    _, tls = make_certificate(tmp_path)
    with running_mailbox(ssl_context=tls) as mailbox:
        with_mail["smtp_url"] = f"smtps://localhost:{mailbox.port}"
        async with start(**with_mail) as world:
            ada = await world.new_user()
            await world.deliver(world.enrollment(ada))

            async def was_tried() -> bool:
                return bool(await world.sql.fetchval("SELECT count(*) FROM notification_deliveries WHERE reason <> ''"))

            await eventually(was_tried)
            assert await world.deliveries() == ["pending"]
    assert mailbox.messages == []


async def test_starttls_that_is_required_is_not_given_up(
    start: Any, with_mail: dict[str, Any], mailbox: Mailbox, eventually: Any
) -> None:
    async with start(**with_mail, smtp_starttls="always") as world:
        ada = await world.new_user()
        await world.deliver(world.enrollment(ada))

        async def was_tried() -> bool:
            return bool(await world.sql.fetchval("SELECT count(*) FROM notification_deliveries WHERE reason <> ''"))

        await eventually(was_tried)
    assert mailbox.messages == []


async def test_a_service_that_is_asked_to_end_finishes_what_it_is_sending(
    start: Any, with_mail: dict[str, Any], mailbox: Mailbox, eventually: Any
) -> None:
    mailbox.pause_seconds = 2.5

    async def is_under_way() -> bool:
        return len(mailbox.messages) == 1

    async with start(**with_mail) as world:
        ada = await world.new_user()
        await world.deliver(world.enrollment(ada))
        await eventually(is_under_way)
    assert await world.deliveries() == ["sent"]


async def test_a_mail_continues_the_trace_of_its_cause(mail_world: Any) -> None:
    ada = await mail_world.new_user()
    with get_tracer(__name__).start_as_current_span("the request that enrolled her") as span:
        await mail_world.deliver(mail_world.enrollment(ada))
    await mail_world.delivered()
    traceparent = await mail_world.sql.fetchval("SELECT traceparent FROM notification_deliveries")
    assert traceparent.split("-")[1] == format_trace_id(span.get_span_context().trace_id)
