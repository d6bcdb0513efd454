"""What an administrator may do about events that were given up, on real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
import sqlalchemy as sa

from shared.database import Database, WriteSession
from shared.events.broker import Delivery
from shared.events.dead_letters import (
    DeadLetterNotFoundError,
    DeadLetters,
    Graveyard,
    create_dead_letters_table,
    dead_letters_table,
    drop_dead_letters_table,
)
from shared.events.envelope import Event
from shared.events.handling import DeadLetterError, Handler, Handlers
from shared.events.inbox import Inbox, processed_table
from shared.events.outbox import EVENT_FIELD
from shared.events.user import UserRegistered
from shared.exceptions.base import UnavailableError
from shared.schemas.pagination import PageQuery
from shared.testing.servers import PostgresServer

SERVICE = "notification"
STREAM = UserRegistered.event_type.stream

metadata = sa.MetaData()
effects = sa.Table("effects", metadata, sa.Column("user_id", sa.Integer))
processed_table(metadata, SERVICE)
letters_table = dead_letters_table(metadata, SERVICE)


@pytest.fixture(scope="module")
async def url(postgres_server: PostgresServer) -> str:
    return (await postgres_server.fresh_database()).url("notification")


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    yield database
    await database.dispose()


@dataclass
class Welcomes:
    """Handles, unless ``trouble``."""

    trouble: Exception | None = None
    pause_seconds: float = 0
    handled: list[int] = field(default_factory=list)

    async def handle(self, session: WriteSession, event: Event[UserRegistered]) -> None:
        await session.execute(sa.insert(effects).values(user_id=event.data.user_id))
        await asyncio.sleep(self.pause_seconds)
        if self.trouble:
            raise self.trouble
        self.handled.append(event.data.user_id)


@pytest.fixture
def welcomes() -> Welcomes:
    return Welcomes()


@pytest.fixture
def letters(database: Database, welcomes: Welcomes) -> DeadLetters:
    return DeadLetters(database, SERVICE, [Handler(UserRegistered, welcomes.handle)])


def registration(user_id: int) -> Event[UserRegistered]:
    return Event.of(UserRegistered(user_id=user_id, email=f"{user_id}@x.example", full_name="N", role="student"))


async def bury(database: Database, text: str, *, position: str = "1-0", reason: str = "it failed") -> int:
    """Bury an entry; the letter's id."""
    fields = {EVENT_FIELD: text}
    try:
        header = Handlers([]).header(fields)
    except DeadLetterError:
        header = None
    why = DeadLetterError(reason, attempts=6)
    async with database.begin() as session:
        await Graveyard(SERVICE).bury(session, Delivery(STREAM, position, fields), header=header, why=why)
        newest = await session.scalar(sa.select(sa.func.max(letters_table.c.id)))
    assert newest is not None
    return newest


async def effective(database: Database) -> list[int]:
    async with database.read() as session:
        return list(await session.scalars(sa.select(effects.c.user_id)))


async def test_letters_are_listed_newest_first(database: Database, letters: DeadLetters) -> None:
    events = [registration(user_id) for user_id in (1, 2, 3)]
    for number, event in enumerate(events):
        await bury(database, event.model_dump_json(), position=f"{number}-0")
    page = await letters.page(PageQuery(page=1, size=2))
    assert [letter.event_id for letter in page.items] == [events[2].id, events[1].id]
    assert page.total == 3
    [oldest] = (await letters.page(PageQuery(page=2, size=2))).items
    assert await letters.get(oldest.id) == oldest
    assert (oldest.type, oldest.stream, oldest.position) == ("user.registered", STREAM, "0-0")
    assert (oldest.reason, oldest.attempts) == ("it failed", 6)
    assert oldest.buried_at.tzinfo is not None


async def test_a_replayed_event_has_its_effect_and_its_letter_goes(database: Database, letters: DeadLetters) -> None:
    letter_id = await bury(database, registration(1).model_dump_json())
    assert await letters.replay(letter_id) == "handled"
    assert await effective(database) == [1]
    with pytest.raises(DeadLetterNotFoundError):
        await letters.get(letter_id)


async def test_an_event_that_was_processed_meanwhile_is_not_handled_again(
    database: Database, letters: DeadLetters
) -> None:
    event = registration(1)
    letter_id = await bury(database, event.model_dump_json())
    async with database.begin() as session:
        await Inbox(SERVICE).take(session, event.id)
    assert await letters.replay(letter_id) == "repeated"
    assert await effective(database) == []
    assert (await letters.page(PageQuery())).items == []


async def test_a_replay_that_fails_leaves_the_letter_with_its_new_reason_and_no_effect(
    database: Database, letters: DeadLetters, welcomes: Welcomes
) -> None:
    letter_id = await bury(database, registration(1).model_dump_json())
    welcomes.trouble = ValueError("still broken\x00")
    with pytest.raises(DeadLetterError, match="still broken"):
        await letters.replay(letter_id)
    letter = await letters.get(letter_id)
    assert letter.reason.startswith("ValueError: still broken")
    assert letter.attempts == 7
    assert await effective(database) == []
    welcomes.trouble = None
    assert await letters.replay(letter_id) == "handled"


async def test_an_absence_does_not_count_as_an_attempt(
    database: Database, letters: DeadLetters, welcomes: Welcomes
) -> None:
    letter_id = await bury(database, registration(1).model_dump_json())
    welcomes.trouble = UnavailableError("away")
    with pytest.raises(UnavailableError):
        await letters.replay(letter_id)
    assert (await letters.get(letter_id)).attempts == 6


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not an event"),
        (registration(1).model_copy(update={"dataschema": "urn:unknown"}).model_dump_json(), "nobody here knows"),
        (
            registration(1).model_copy(update={"type": "user.left", "dataschema": "urn:unknown"}).model_dump_json(),
            "nobody here handles",
        ),
    ],
)
async def test_what_nobody_can_handle_stays(database: Database, letters: DeadLetters, text: str, reason: str) -> None:
    letter_id = await bury(database, text)
    with pytest.raises(DeadLetterError, match=reason):
        await letters.replay(letter_id)
    assert reason in (await letters.get(letter_id)).reason


async def test_two_replays_at_once_handle_the_event_once(
    database: Database, letters: DeadLetters, welcomes: Welcomes
) -> None:
    letter_id = await bury(database, registration(1).model_dump_json())
    welcomes.pause_seconds = 0.2
    outcomes = await asyncio.gather(letters.replay(letter_id), letters.replay(letter_id), return_exceptions=True)
    assert "handled" in outcomes
    assert any(isinstance(outcome, DeadLetterNotFoundError) for outcome in outcomes)
    assert await effective(database) == [1]


async def test_a_discarded_event_does_not_come_back_when_it_is_published_again(
    database: Database, letters: DeadLetters
) -> None:
    event = registration(1)
    await letters.discard(await bury(database, event.model_dump_json()))
    async with database.begin() as session:
        assert not await Inbox(SERVICE).take(session, event.id)
    assert (await letters.page(PageQuery())).items == []


async def test_what_is_no_event_can_be_discarded(database: Database, letters: DeadLetters) -> None:
    await letters.discard(await bury(database, "{"))
    assert (await letters.page(PageQuery())).items == []


async def test_an_unknown_letter_is_not_found(letters: DeadLetters) -> None:
    for act in (letters.get, letters.replay, letters.discard):
        with pytest.raises(DeadLetterNotFoundError):
            await act(99)


async def test_the_same_entry_is_one_letter_whether_it_is_an_event_or_not(database: Database) -> None:
    event = registration(1)
    for position in ("1-0", "2-0"):  # published again, the event is at another place
        await bury(database, event.model_dump_json(), position=position, reason=position)
    for _ in range(2):
        await bury(database, f"no event {uuid4()}", position="3-0")
    async with database.read() as session:
        found = (await session.execute(sa.select(letters_table).order_by(letters_table.c.id))).all()
    assert [(row.reason, row.attempts) for row in found] == [("2-0", 12), ("it failed", 12)]


async def test_old_letters_are_forgotten(database: Database, letters: DeadLetters) -> None:
    kept = await bury(database, registration(1).model_dump_json(), position="1-0")
    old = await bury(database, registration(2).model_dump_json(), position="2-0")
    async with database.begin() as session:
        ago = sa.func.now() - sa.text("interval '2 days'")
        await session.execute(sa.update(letters_table).where(letters_table.c.id == old).values(buried_at=ago))
        await Graveyard(SERVICE).forget(session, after_seconds=86_400)
    assert [letter.id for letter in (await letters.page(PageQuery())).items] == [kept]


async def test_the_table_can_be_made_by_a_migration(database: Database) -> None:
    class Operations:
        def __init__(self, connection: sa.Connection) -> None:
            self._connection = connection

        def get_bind(self) -> sa.Connection:
            return self._connection

    def make_twice(connection: sa.Connection) -> set[str]:
        operations = Operations(connection)
        create_dead_letters_table(operations, "course")
        drop_dead_letters_table(operations, "course")
        create_dead_letters_table(operations, "course")
        names = set(sa.inspect(connection).get_table_names())
        drop_dead_letters_table(operations, "course")
        return names

    async with database.engine.begin() as connection:
        assert "course_dead_letters" in await connection.run_sync(make_twice)
