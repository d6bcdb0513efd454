"""Datastores that are away, and readiness."""

from __future__ import annotations

import json

import asyncpg
import httpx
from course_people import Person, lessons_of, problem
from fastapi import FastAPI
from redis.asyncio import Redis

from shared.testing.servers import MongoServer, RedisServer


async def ready(app: FastAPI) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://course-service") as client:
        return await client.get("/health/ready")


async def test_ready_names_both_datastores(app: FastAPI) -> None:
    answer = await ready(app)
    assert answer.status_code == 200, answer.text
    assert "postgres" in answer.text
    assert "mongodb" in answer.text


async def test_without_mongodb_bodies_are_503_and_the_catalogue_answers(
    app: FastAPI, instructor: Person, anonymous: Person, sql: asyncpg.Connection, mongo_server: MongoServer
) -> None:
    course = await instructor.publish_course("Still here")
    module = course["modules"][0]
    rows = await sql.fetch("SELECT * FROM lessons")
    mongo_server.stop()
    try:
        problem(await instructor.get(f"{lessons_of(module)}/{module['lessons'][0]['id']}"), 503)
        problem(await instructor.post(lessons_of(module), {"title": "x", "body": "x"}), 503)
        change = {"title": "x", "body": "x"}
        problem(await instructor.patch(f"{lessons_of(module)}/{module['lessons'][0]['id']}", change), 503)
        assert await sql.fetch("SELECT * FROM lessons") == rows  # no row is without its body
        assert (await anonymous.get("/api/courses")).json()["total"] == 1
        assert (await anonymous.get(f"/api/courses/{course['id']}")).status_code == 200
        assert (await ready(app)).status_code == 503
    finally:
        mongo_server.start()
    assert (await instructor.get(f"{lessons_of(module)}/{module['lessons'][0]['id']}")).json()["body"] == "Read this."
    assert (await ready(app)).status_code == 200


async def test_events_reach_the_stream(app: FastAPI, instructor: Person, redis_server: RedisServer) -> None:
    await redis_server.flush()
    await instructor.publish_course("Announced")
    types: list[str] = []
    last = "0"
    async with Redis.from_url(redis_server.url, decode_responses=True, socket_timeout=40) as redis:
        while len(types) < 2:
            [[_, entries]] = await redis.xread({"smartcourse:events:course": last}, block=30_000)
            last = entries[-1][0]
            types += [json.loads(fields["event"])["type"] for _, fields in entries]
    assert types == ["course.created", "course.published"]
