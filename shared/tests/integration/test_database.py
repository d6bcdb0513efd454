"""Transactions, time-outs and outages of PostgreSQL."""

import asyncio

import pytest
from sqlalchemy import MetaData, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import NAMING_CONVENTION, Database, DatabaseUnavailableError, ReadSession, WriteSession
from shared.schemas import pagination
from shared.schemas.pagination import PageQuery, PaginatedResponse, paginate
from shared.testing.servers import PostgresServer


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


async def names(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(select(Thing.name).order_by(Thing.id)))


async def add(database: Database, *new: str) -> None:
    async with database.begin() as session:
        session.add_all([Thing(name=name) for name in new])
        await session.flush()


async def test_leaving_commits(database: Database) -> None:
    async with database.begin() as session:
        assert isinstance(session, WriteSession)
        thing = Thing(name="kept")
        session.add(thing)
    assert thing.name == "kept"  # usable afterwards, without a query
    assert await names(database) == ["kept"]


async def test_an_error_rolls_back(database: Database) -> None:
    async def lose() -> None:
        async with database.begin() as session:
            session.add(Thing(name="lost"))
            await session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        await lose()
    assert await names(database) == []


async def test_cancelling_rolls_back_and_gives_the_connection_back(database: Database) -> None:
    async def dawdle() -> None:
        async with database.begin() as session:
            session.add(Thing(name="lost"))
            await session.flush()
            await session.execute(text("SELECT pg_sleep(30)"))

    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(dawdle(), timeout=0.1)
    assert await names(database) == []


async def test_a_constraint_keeps_its_own_error(database: Database) -> None:
    await add(database, "one")
    with pytest.raises(IntegrityError):
        await add(database, "one")


async def test_an_error_message_does_not_quote_parameters(database: Database) -> None:
    with pytest.raises(DBAPIError) as failure:
        async with database.begin() as session:
            await session.execute(text("SELECT CAST(:value AS text)::integer"), {"value": "hunter2"})
    assert "parameters:" not in str(failure.value)


async def test_a_time_out_of_the_callers_own_is_not_taken_for_the_databases(database: Database) -> None:
    with pytest.raises(TimeoutError):
        async with database.begin():
            raise TimeoutError


async def test_a_read_session_cannot_write_and_the_next_write_session_can(database: Database) -> None:
    async def write_anyway() -> None:
        async with database.read() as session:
            assert isinstance(session, ReadSession)
            await session.execute(text("INSERT INTO things (name) VALUES ('x')"))

    for _ in range(3):
        with pytest.raises(DBAPIError, match="read-only"):
            await write_anyway()
    await add(database, "one")
    assert await names(database) == ["one"]


async def test_times_are_utc(database: Database) -> None:
    async with database.read() as session:
        assert await session.scalar(text("SHOW timezone")) == "UTC"


async def test_a_statement_that_takes_too_long_is_unavailable(database: Database) -> None:
    with pytest.raises(DatabaseUnavailableError, match="too long"):
        async with database.begin() as session:
            await session.execute(text("SELECT pg_sleep(30)"))


async def test_a_pool_that_is_used_up_is_unavailable(database: Database) -> None:
    async with database.read(), database.read():
        with pytest.raises(DatabaseUnavailableError):
            await database.ping()
    await database.ping()


async def test_a_wrong_password_is_unavailable_and_not_repeated(postgres_server: PostgresServer) -> None:
    database = Database(postgres_server.url("user").replace(postgres_server.passwords["user"], "hunter2"))
    with pytest.raises(DatabaseUnavailableError) as refusal:
        await database.ping()
    assert "hunter2" not in str(refusal.value)
    await database.dispose()


async def test_a_connection_that_breaks_is_unavailable_and_replaced(database: Database) -> None:
    async def lose_the_connection() -> None:
        async with database.begin() as session:
            pid = await session.scalar(text("SELECT pg_backend_pid()"))
            async with database.begin() as other:
                await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            await session.execute(text("SELECT 1"))

    await database.ping()
    with pytest.raises(DatabaseUnavailableError, match="lost"):
        await lose_the_connection()
    await database.ping()


async def test_a_restart_of_the_server_is_not_noticed_between_requests(
    database: Database, postgres_server: PostgresServer
) -> None:
    await asyncio.gather(database.ping(), database.ping())
    postgres_server.restart()
    await add(database, "after")
    assert await names(database) == ["after"]


async def test_while_the_server_is_away_it_is_unavailable_and_soon_after_it_is_not(
    database: Database, postgres_server: PostgresServer
) -> None:
    await database.ping()
    postgres_server.stop()
    try:
        for attempt in (database.ping, lambda: names(database), lambda: add(database, "x")):
            with pytest.raises(DatabaseUnavailableError):
                await attempt()
    finally:
        postgres_server.start()
    assert await names(database) == []


async def test_a_page_knows_the_total(database: Database) -> None:
    await add(database, *(f"t{number:02}" for number in range(25)))
    statement = select(Thing).order_by(Thing.id)
    async with database.read() as session:
        first = await paginate(session, statement, PageQuery(page=1, size=10))
        last = await paginate(session, statement, PageQuery(page=3, size=10))
        beyond = await paginate(session, statement, PageQuery(page=4, size=10))
        narrowed = await paginate(session, statement.where(Thing.name < "t05"), PageQuery(size=2))
    assert [thing.name for thing in first.items] == [f"t{number:02}" for number in range(10)]
    assert (first.total, first.pages, first.total_is_exact) == (25, 3, True)
    assert (len(last.items), last.total) == (5, 25)
    assert (beyond.items, beyond.total) == ([], 25)
    assert (narrowed.total, narrowed.pages) == (5, 3)


async def test_an_empty_list_has_no_pages(database: Database) -> None:
    async with database.read() as session:
        page = await paginate(session, select(Thing).order_by(Thing.id), PageQuery())
    assert (page.items, page.total, page.pages) == ([], 0, 0)


async def test_a_long_list_is_not_counted_whole(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "COUNT_LIMIT", 20)
    await add(database, *(f"t{number:02}" for number in range(25)))
    statement = select(Thing).order_by(Thing.id)
    async with database.read() as session:
        first = await paginate(session, statement, PageQuery(size=10))
        last = await paginate(session, statement, PageQuery(page=3, size=10))
    for page in (first, last):
        assert (page.total, page.total_is_exact) == (20, False)
    assert len(last.items) == 5


async def test_rows_grouped_and_joined_are_counted_as_they_are_listed(database: Database) -> None:
    await add(database, "a1", "a2", "b1")
    letter = text("left(name, 1)")
    statement = select(letter, text("count(*)")).select_from(Thing).group_by(letter).order_by(letter)
    async with database.read() as session:
        page = await paginate(session, statement, PageQuery(size=1), scalars=False)
        distinct = await paginate(session, select(letter).select_from(Thing).distinct(), PageQuery(size=1))
    assert [tuple(row) for row in page.items] == [("a", 2)]
    assert page.total == 2
    assert distinct.total == 2


async def test_a_page_becomes_a_response(database: Database) -> None:
    class ThingResponse(pagination.Schema):
        id: int
        name: str

    await add(database, "one")
    async with database.read() as session:
        page = await paginate(session, select(Thing).order_by(Thing.id), PageQuery())
    response = PaginatedResponse[ThingResponse].of(page)
    assert response.model_dump() == {
        "items": [{"id": 1, "name": "one"}],
        "total": 1,
        "total_is_exact": True,
        "page": 1,
        "size": 20,
        "pages": 1,
    }
    assert page.map(lambda thing: thing.name).items == ["one"]
