"""How the decision process reads requests and answers them, over a real unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from api_gateway.decision.server import Answer, Connection, Request, response

Ask = Callable[[bytes], Awaitable[bytes]]
HEAD = b"GET /decide HTTP/1.1\r\nHost: decision\r\n"
FIVE_SECONDS = 5


class Told:
    """What the application was asked, and when it may answer `/later`."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.was_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        self.was_asked.set()
        if request.target == b"/fail":
            raise ValueError("no such thing")
        return self._later() if request.target.startswith(b"/later") else response(200, "X-Now: yes\r\n", b"now")

    async def _later(self) -> bytes:
        await self.may_answer.wait()
        if len(self.requests) == 99:
            raise ValueError("never")
        return response(200, body=b"later")


@pytest.fixture
async def told() -> Told:
    return Told()


@pytest.fixture
async def connections() -> set[Connection]:
    return set()


@pytest.fixture
async def place(told: Told, connections: set[Connection], tmp_path: Path) -> AsyncIterator[str]:
    path = str(tmp_path / "s")
    server = await asyncio.get_running_loop().create_unix_server(lambda: Connection(told, connections), path=path)
    yield path
    server.close()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.read(), FIVE_SECONDS)


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), FIVE_SECONDS)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def test_a_connection_is_kept_and_each_request_is_read_by_itself(place: str, told: Told) -> None:
    reader, writer = await asyncio.open_unix_connection(place)
    for _ in range(3):
        writer.write(HEAD + b"X-A: 1\r\n\r\n")
        answer = await one_answer(reader)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"X-Now: yes\r\n\r\nnow")
    assert [(each.method, each.target) for each in told.requests] == [(b"GET", b"/decide")] * 3
    assert told.requests[2].headers == {b"host": b"decision", b"x-a": b"1"}
    writer.close()


async def test_a_request_may_come_byte_by_byte(place: str, told: Told) -> None:
    reader, writer = await asyncio.open_unix_connection(place)
    for byte in HEAD + b"X-Long: abc\r\n\r\n":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    await one_answer(reader)
    assert told.requests[0].get(b"x-long") == "abc"
    assert told.requests[0].get(b"x-none") == ""
    writer.close()


async def test_a_header_that_comes_twice_is_neither_the_first_nor_the_last_of_them(place: str, told: Told) -> None:
    reader, writer = await asyncio.open_unix_connection(place)
    writer.write(HEAD + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n")
    await one_answer(reader)
    assert told.requests[0].get(b"authorization") == "Bearer a,Bearer b"
    writer.close()


@pytest.mark.parametrize(
    "bad",
    [
        b"nonsense\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"X-A : 1\r\n\r\n",
        HEAD + b"X-Large: " + b"x" * 70_000,
        b"GET /fail HTTP/1.1\r\n\r\n",
        HEAD + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n" + b"x" * 70_000,
    ],
)
async def test_what_is_no_request_closes_the_connection(place: str, bad: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(place)
    writer.write(bad)
    assert (await until_closed(reader)).rpartition(b"HTTP/1.1 ")[2].startswith(b"400 ")


async def test_a_second_request_before_the_answer_closes_the_connection(place: str, told: Told) -> None:
    reader, writer = await asyncio.open_unix_connection(place)
    writer.write(b"GET /later HTTP/1.1\r\n\r\nGET /now HTTP/1.1\r\n\r\n")
    assert (await until_closed(reader)).startswith(b"HTTP/1.1 400 ")


async def test_an_answer_that_is_being_worked_out_is_given_before_the_end(
    place: str, told: Told, connections: set[Connection]
) -> None:
    reader, writer = await asyncio.open_unix_connection(place)
    writer.write(b"GET /later HTTP/1.1\r\n\r\n")
    await asyncio.wait_for(told.was_asked.wait(), FIVE_SECONDS)
    (connection,) = connections
    asked = connection.end()
    told.may_answer.set()
    assert (await until_closed(reader)).endswith(b"later")
    assert asked is not None
    assert asked.done()
    assert not connections
    writer.close()


async def test_a_failure_is_500_and_closes_the_connection(place: str, told: Told) -> None:
    told.requests = [Request()] * 98
    told.may_answer.set()
    reader, writer = await asyncio.open_unix_connection(place)
    writer.write(b"GET /later HTTP/1.1\r\n\r\n")
    assert (await until_closed(reader)).startswith(b"HTTP/1.1 500 ")
    writer.close()
