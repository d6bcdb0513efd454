"""What was given up, in an administrator's hands."""

from typing import Any
from uuid import uuid4

import pytest
from mail_server import Mailbox

PATH = "/api/notifications/dead-letters"


async def test_an_administrator_reads_replays_and_discards_events(world: Any) -> None:
    ada = await world.new_user()
    lost, foolish = world.enrollment(424242), world.enrollment(434343)
    await world.deliver(lost, foolish, world.enrollment(ada))
    await world.settled()
    async with world.client(ada, "admin") as client:
        page = (await client.get(f"{PATH}/events", params={"size": 1})).json()
        assert (page["total"], page["pages"]) == (2, 2)
        [newest] = page["items"]
        assert (newest["event_id"], newest["type"]) == (str(foolish.id), "enrollment.created")
        assert newest["reason"].startswith("3 attempts failed")
        [_, oldest] = (await client.get(f"{PATH}/events")).json()["items"]

        again = await client.post(f"{PATH}/events/{oldest['id']}/replay")
        assert (again.status_code, again.json()["type"]) == (409, "urn:smartcourse:problem:replay-failed")
        [_, failed] = (await client.get(f"{PATH}/events")).json()["items"]
        assert failed["attempts"] == oldest["attempts"] + 1

        await world.sql.execute("UPDATE users SET id = 424242 WHERE id = $1", await world.new_user())
        assert (await client.post(f"{PATH}/events/{oldest['id']}/replay")).json() == {"outcome": "handled"}
        assert (await client.post(f"{PATH}/events/{oldest['id']}/replay")).status_code == 404
        assert await world.titles(424242) == ["You are enrolled in Analytical Engines"]

        assert (await client.delete(f"{PATH}/events/{newest['id']}")).status_code == 204
        assert (await client.delete(f"{PATH}/events/{newest['id']}")).status_code == 404
        assert (await client.get(f"{PATH}/events")).json()["items"] == []


async def test_an_administrator_reads_replays_and_discards_deliveries(mail_world: Any, mailbox: Mailbox) -> None:
    mailbox.answers = ["550 5.1.1 unknown"] * 2
    ada = await mail_world.new_user()
    for title in ("First", "Second"):
        await mail_world.deliver(mail_world.enrollment(ada, title))
        await mail_world.delivered()
    async with mail_world.client(ada, "admin") as client:
        second, first = (await client.get(f"{PATH}/deliveries")).json()["items"]
        assert {key: first[key] for key in ("channel", "user_id", "type", "attempts", "reason")} == {
            "channel": "email",
            "user_id": ada,
            "type": "enrolled",
            "attempts": 1,
            "reason": "the mail server answered 550",
        }
        assert first["died_at"] < second["died_at"]

        replayed = await client.post(f"{PATH}/deliveries/{first['id']}/replay")
        assert (replayed.status_code, replayed.json()) == (202, {"outcome": "pending"})
        await mail_world.delivered()
        assert mailbox.message_ids == [f"<{first['id']}@academy.example>"]
        assert (await client.post(f"{PATH}/deliveries/{first['id']}/replay")).status_code == 404, "it was sent"

        assert (await client.delete(f"{PATH}/deliveries/{second['id']}")).status_code == 204
        assert (await client.delete(f"{PATH}/deliveries/{second['id']}")).status_code == 404
        assert (await client.get(f"{PATH}/deliveries")).json()["items"] == []
    assert len(await mail_world.titles(ada)) == 2, "the list keeps what mail could not bring"


@pytest.mark.parametrize("role", ["student", "instructor"])
@pytest.mark.parametrize("source", ["events/1", f"deliveries/{uuid4()}"])
async def test_nobody_else_sees_or_touches_them(world: Any, role: str, source: str) -> None:
    listing = source.partition("/")[0]
    async with world.client(1, role) as client:
        answers = [
            await client.get(f"{PATH}/{listing}"),
            await client.post(f"{PATH}/{source}/replay"),
            await client.delete(f"{PATH}/{source}"),
        ]
    assert [answer.status_code for answer in answers] == [403] * 3
