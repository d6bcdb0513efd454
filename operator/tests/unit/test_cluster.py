"""Requests to an API server that takes them and says nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from kubernetes.aio.client import ApiClient, Configuration

from smartcourse_operator.adapters.cluster import ApiError, Cluster, NotLeadingError
from smartcourse_operator.core.objects import CONFIG_MAP

OBJECT = {"metadata": {"name": "one", "namespace": "a"}}


@pytest.fixture
async def client() -> AsyncIterator[ApiClient]:
    over = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    configuration = Configuration()
    configuration.host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = ApiClient(configuration)
    yield client
    await client.close()
    over.set()
    server.close()


async def test_a_write_is_given_up_when_the_lease_runs_out(client: ApiClient) -> None:
    cluster = Cluster(client, write_seconds=lambda: 0.2)
    with pytest.raises(ApiError, match="no answer"):
        async with asyncio.timeout(10):
            await cluster.create(CONFIG_MAP, OBJECT)


async def test_without_the_lease_no_write_is_sent(client: ApiClient) -> None:
    with pytest.raises(NotLeadingError, match="was not sent"):
        await Cluster(client, write_seconds=lambda: 0.0).create(CONFIG_MAP, OBJECT)
