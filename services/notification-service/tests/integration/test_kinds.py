"""Each event and what its person is told; and what they choose not to be told."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from mail_server import Mailbox

from shared.events.certificate import CertificateIssued, CertificateRestored, CertificateRevoked
from shared.events.enrollment import EnrollmentCompleted, EnrollmentReinstated, EnrollmentSuspended
from shared.events.envelope import Event, EventData
from shared.events.progress import QuizGraded
from shared.events.user import UserAnonymised, UserReactivated, UserRoleChanged

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PREFERENCES = "/api/notifications/preferences"


def enrolled(user_id: int) -> dict[str, Any]:
    return {"enrollment_id": 7, "student_id": user_id, "course_id": 3, "course_title": "Engines"}


def certified(user_id: int) -> dict[str, Any]:
    return enrolled(user_id) | {"certificate_id": 9, "certificate_number": "SC-2026-000009"}


def quizzed(user_id: int, *, is_passed: bool, score: str) -> QuizGraded:
    return QuizGraded(
        **enrolled(user_id),
        lesson_id=5,
        quiz_title="Cogs",
        attempt=2,
        score_percentage=Decimal(score),
        is_passed=is_passed,
    )


def events(user_id: int) -> list[tuple[EventData, str, str, str]]:
    """Payload, type, title and link of all but welcomes and enrollments."""
    course, certificate = enrolled(user_id), certified(user_id)
    return [
        (
            UserRoleChanged(user_id=user_id, role="instructor", previous_role="student"),
            "role_changed", "Your role is now instructor", "/api/auth/me",
        ),
        (UserReactivated(user_id=user_id), "account_reactivated", "Your account is open again", "/api/auth/me"),
        (
            EnrollmentSuspended(**course, reason="Fees"),
            "enrollment_suspended", "Your access to Engines is suspended", "/api/enrollments/7",
        ),
        (
            EnrollmentReinstated(**course),
            "enrollment_reinstated", "You have access to Engines again", "/api/enrollments/7",
        ),
        (
            EnrollmentCompleted(**course, completed_at=NOW),
            "course_completed", "You have completed Engines", "/api/enrollments/7",
        ),
        (
            quizzed(user_id, is_passed=True, score="100.00"),
            "quiz_graded", "Cogs: passed", "/api/enrollments/7/progress",
        ),
        (
            CertificateIssued(**certificate, issue_date=date(2026, 3, 1)),
            "certificate_issued", "Your certificate for Engines", "/api/certificates/9",
        ),
        (
            CertificateRevoked(**certificate, revoked_at=NOW, reason="Copied work"),
            "certificate_revoked", "Your certificate for Engines was revoked", "/api/certificates/9",
        ),
        (
            CertificateRestored(**certificate),
            "certificate_restored", "Your certificate for Engines is valid again", "/api/certificates/9",
        ),
    ]  # fmt: skip


async def test_each_event_tells_its_person_what_happened(world: Any) -> None:
    ada = await world.new_user()
    expected = events(ada)
    for payload, *_ in expected:
        await world.deliver(Event.of(payload))
        await world.settled()
    async with world.client(ada) as client:
        items = (await client.get("/api/notifications")).json()["items"]
    told = [(item["type"], item["title"], item["link"]) for item in reversed(items)]
    assert told == [(kind, title, link) for _, kind, title, link in expected]
    bodies = {item["type"]: item["body"] for item in items}
    assert bodies["certificate_revoked"].endswith("Reason: Copied work")
    assert "SC-2026-000009" in bodies["certificate_issued"]
    assert "from student to instructor" in bodies["role_changed"]
    assert bodies["quiz_graded"] == "Attempt 2 at Cogs in Engines scored 100 %: passed."


async def test_a_failed_quiz_says_so(world: Any) -> None:
    ada = await world.new_user()
    await world.deliver(Event.of(quizzed(ada, is_passed=False, score="33.50")))
    await world.settled()
    async with world.client(ada) as client:
        [item] = (await client.get("/api/notifications")).json()["items"]
    assert (item["title"], item["body"]) == (
        "Cogs: not passed",
        "Attempt 2 at Cogs in Engines scored 33.5 %: not passed.",
    )


async def test_a_title_of_any_length_is_told(world: Any) -> None:
    ada = await world.new_user()
    await world.deliver(world.enrollment(ada, "x" * 5000))
    await world.settled()
    [title] = await world.titles(ada)
    assert len(title) == 200
    assert title.endswith("x…")


async def test_defaults_are_shown_and_a_choice_changes_only_itself(mail_world: Any) -> None:
    ada, bob = await mail_world.new_user(), await mail_world.new_user()
    async with mail_world.client(ada) as client:
        before = (await client.get(PREFERENCES)).json()
        assert before["channels"] == ["in_app", "email"]
        rows = {row["type"]: row for row in before["preferences"]}
        assert rows["quiz_graded"] == {
            "type": "quiz_graded", "in_app": True, "email": False, "push": False, "locked": [],
        }  # fmt: skip
        assert rows["certificate_revoked"] == {
            "type": "certificate_revoked", "in_app": True, "email": True, "push": True, "locked": ["in_app"],
        }  # fmt: skip
    changed = (await mail_world.prefer(ada, "quiz_graded", email=True, in_app=False)).json()
    chosen = {"quiz_graded": rows["quiz_graded"] | {"email": True, "in_app": False}}
    assert {row["type"]: row for row in changed["preferences"]} == rows | chosen
    async with mail_world.client(ada) as client:
        assert (await client.get(PREFERENCES)).json() == changed
    async with mail_world.client(bob) as client:
        assert (await client.get(PREFERENCES)).json() == before


async def test_what_is_chosen_is_what_happens(mail_world: Any, mailbox: Mailbox) -> None:
    ada, bob, eve = [await mail_world.new_user() for _ in range(3)]
    await mail_world.prefer(ada, "enrolled", email=False)
    await mail_world.prefer(bob, "enrolled", in_app=False)
    await mail_world.prefer(eve, "enrolled", in_app=False, email=False)
    await mail_world.deliver(*map(mail_world.enrollment, (ada, bob, eve)))
    await mail_world.delivered()
    assert [len(await mail_world.titles(person)) for person in (ada, bob, eve)] == [1, 0, 0]
    assert mailbox.recipients == [await mail_world.address(bob)]
    async with mail_world.client(bob) as client:
        assert (await client.get("/api/notifications/unread-count")).json()["unread"] == 0
        assert (await client.post("/api/notifications/read-all")).json() == {"marked": 0}


@pytest.mark.parametrize("kind", ["role_changed", "account_reactivated", "enrollment_suspended", "certificate_revoked"])
async def test_what_concerns_ones_rights_cannot_be_switched_off_in_the_list(world: Any, kind: str) -> None:
    ada = await world.new_user()
    async with world.client(ada) as client:
        both = [{"type": "welcome", "email": False}, {"type": kind, "in_app": False, "email": False}]
        refused = await client.patch(PREFERENCES, json={"preferences": both})
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:smartcourse:problem:preference-locked")
        assert await world.sql.fetchval("SELECT count(*) FROM notification_preferences") == 0, "all or nothing"
        assert (await world.prefer(ada, kind, email=False, in_app=True)).status_code == 200


@pytest.mark.parametrize(
    ("preferences", "field"),
    [
        ([], "body.preferences"),
        ([{"type": "gossip"}], "body.preferences.0.type"),
        ([{"type": "welcome", "pigeon": True}], "body.preferences.0.pigeon"),
        ([{"type": "welcome", "email": "perhaps"}], "body.preferences.0.email"),
        ([{"type": "welcome", "email": True}, {"type": "welcome", "email": False}], "body"),
    ],
)
async def test_preferences_that_make_no_sense_are_refused(world: Any, preferences: Any, field: str) -> None:
    async with world.client(1) as client:
        answer = await client.patch(PREFERENCES, json={"preferences": preferences})
    assert answer.status_code == 422
    assert field in [error["loc"] for error in answer.json()["errors"]]


async def test_a_forgotten_person_leaves_nothing_behind(
    start: Any, with_mail: dict[str, Any], mailbox: Mailbox
) -> None:
    mailbox.stop()
    async with start(**with_mail) as world:
        ada, bob = await world.new_user(), await world.new_user()
        await world.deliver(world.registration(424242), world.enrollment(ada), world.enrollment(bob))
        for person in (ada, bob):
            await world.prefer(person, "welcome", email=False)
            await world.sql.execute(
                "INSERT INTO push_subscriptions (user_id, endpoint, p256dh, auth) VALUES ($1, $2, '', '')",
                person, f"https://push.example/{person}",
            )  # fmt: skip
        await world.settled()
        # The registration that nobody could handle was hers: it holds her name and address.
        await world.sql.execute(
            "UPDATE notification_dead_letters SET fields = replace(fields::text, '424242', $1)::jsonb", str(ada)
        )
        await world.deliver(Event.of(UserAnonymised(user_id=ada)))
        await world.settled()
        assert await world.sql.fetchval("SELECT count(*) FROM notification_dead_letters") == 0
        for table in ("notifications", "notification_preferences", "push_subscriptions"):
            left = await world.sql.fetch(f"SELECT DISTINCT user_id FROM {table}")
            assert [row["user_id"] for row in left] == [bob], table
        mailbox.start()
        await world.delivered()
        assert mailbox.recipients == [await world.address(bob)]


async def test_forgetting_leaves_other_dead_letters_alone(world: Any) -> None:
    ada = await world.new_user()
    await world.deliver(world.registration(424242))
    await world.redis.xadd("smartcourse:events:user", {"event": "no event at all"})
    await world.settled()
    await world.deliver(Event.of(UserAnonymised(user_id=ada)))
    await world.settled()
    assert await world.sql.fetchval("SELECT count(*) FROM notification_dead_letters") == 2


@pytest.mark.parametrize(
    "broken", [{"user_id": "{}x"}, {"user_id": "9" * 30, "of": "{}"}, {"full_name": "{}\x00"}, "{}"]
)
async def test_a_dead_letter_that_makes_no_sense_keeps_nobody_from_being_forgotten(world: Any, broken: Any) -> None:
    ada = await world.new_user()
    data = json.loads(json.dumps(broken).replace("{}", str(ada)))
    for letter, user_id in (({"data": data}, None), ({"data": {"user_id": ada, "full_name": "Ada\x00"}}, ada)):
        await world.sql.execute(
            "INSERT INTO notification_dead_letters (type, stream, position, fields, reason, attempts)"
            " VALUES ('user.registered', 's', $1, jsonb_build_object('event', $2::text), '', 1)",
            str(user_id), json.dumps(letter),
        )  # fmt: skip
    await world.deliver(Event.of(UserAnonymised(user_id=ada)))
    await world.settled()
    left = await world.sql.fetch("SELECT type, position FROM notification_dead_letters")
    assert [tuple(row) for row in left] == [("user.registered", "None")]


async def test_logs_name_neither_people_nor_addresses(
    mail_world: Any, mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> None:
    mailbox.answers = ["450 4.2.1 ada@school.example is busy", "550 5.1.1 ada@school.example is unknown"]
    ada = await mail_world.new_user("Ada Lovelace")
    await mail_world.sql.execute("UPDATE users SET email = 'ada@school.example'")
    await mail_world.deliver(mail_world.enrollment(ada), mail_world.registration(424242))
    await mail_world.delivered()
    ours = [line for line in capsys.readouterr().out.splitlines() if '"mail.log"' not in line]
    assert any("delivery dead" in line for line in ours)
    assert not [line for line in ours if "ada" in line.lower().replace("read", "")]
