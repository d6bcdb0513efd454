"""Modules and lessons: order, change, removal; bodies as immutable revisions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from course_people import QUIZ, RIGHT, Person, lessons_of, problem
from fastapi import FastAPI
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from course_service.repositories.revision import UNSETTLED
from course_service.services.orphan_collector import RevisionCollector
from shared.testing.servers import MongoServer
from shared.utils.datetime import FixedClock


@pytest.fixture
async def revisions(mongo_server: MongoServer) -> AsyncIterator[AsyncCollection[dict[str, Any]]]:
    async with AsyncMongoClient[dict[str, Any]](mongo_server.url, tz_aware=True) as client:
        yield client.get_default_database()["lesson_revisions"]


async def order(person: Person, course: dict[str, Any]) -> list[str]:
    modules = (await person.get(f"/api/courses/{course['id']}/modules")).json()
    assert [module["position"] for module in modules] == list(range(1, len(modules) + 1))
    return [module["title"] for module in modules]


async def test_modules_are_put_moved_and_taken_out_without_gaps(instructor: Person) -> None:
    course = await instructor.create_course()
    path = f"/api/courses/{course['id']}/modules"
    for title in "abc":
        await instructor.create_module(course["id"], title)
    second = await instructor.create_module(course["id"], "d", position=2)
    assert await order(instructor, course) == ["a", "d", "b", "c"]
    assert (await instructor.patch(f"{path}/{second['id']}", {"position": 99})).json()["position"] == 4
    assert await order(instructor, course) == ["a", "b", "c", "d"]
    await instructor.put(f"{path}/{second['id']}", {"title": "D", "position": 1})
    assert await order(instructor, course) == ["D", "a", "b", "c"]
    assert (await instructor.delete(f"{path}/{second['id']}")).status_code == 204
    assert await order(instructor, course) == ["a", "b", "c"]
    problem(await instructor.delete(f"{path}/{second['id']}"), 404)
    problem(await instructor.patch(f"{path}/{second['id']}", {"title": "e"}), 404)


async def test_modules_added_at_once_all_get_a_place(instructor: Person) -> None:
    course = await instructor.create_course()
    await asyncio.gather(*(instructor.create_module(course["id"], str(n), position=1) for n in range(6)))
    assert sorted(await order(instructor, course)) == list("012345")


async def test_lessons_are_put_moved_and_taken_out_without_gaps(instructor: Person) -> None:
    module = await instructor.create_module((await instructor.create_course())["id"])
    path = lessons_of(module)
    first, *_ = [await instructor.create_lesson(module, title) for title in "abc"]
    await instructor.patch(f"{path}/{first['id']}", {"position": 2})
    assert [lesson["title"] for lesson in (await instructor.get(path)).json()] == ["b", "a", "c"]
    assert (await instructor.delete(f"{path}/{first['id']}")).status_code == 204
    left = (await instructor.get(path)).json()
    assert [(lesson["title"], lesson["position"]) for lesson in left] == [("b", 1), ("c", 2)]
    problem(await instructor.get(f"{path}/{first['id']}"), 404)


async def test_a_module_or_lesson_is_found_only_below_its_own_course(instructor: Person) -> None:
    one, two = await instructor.create_course(), await instructor.create_course()
    module = await instructor.create_module(one["id"])
    lesson = await instructor.create_lesson(module)
    elsewhere = await instructor.create_module(two["id"])
    problem(await instructor.patch(f"/api/courses/{two['id']}/modules/{module['id']}", {"title": "x"}), 404)
    problem(await instructor.get(f"{lessons_of(elsewhere)}/{lesson['id']}"), 404)
    problem(await instructor.get(f"/api/courses/{two['id']}/modules/{module['id']}/lessons/{lesson['id']}"), 404)
    problem(await instructor.post(lessons_of(module | {"course_id": two["id"]}), {"title": "x", "body": "x"}), 404)


async def test_a_public_course_keeps_something_published(instructor: Person) -> None:
    course = await instructor.publish_course()
    module = course["modules"][0]
    path = f"{lessons_of(module)}/{module['lessons'][0]['id']}"
    problem(await instructor.patch(path, {"is_published": False}), 409)
    problem(await instructor.delete(path), 409)
    problem(await instructor.delete(f"/api/courses/{course['id']}/modules/{module['id']}"), 409)
    assert (await instructor.get(path)).json()["is_published"] is True
    await instructor.create_lesson(module, "Another")
    assert (await instructor.patch(path, {"is_published": False})).status_code == 200


async def test_a_new_body_is_a_new_revision_and_the_old_one_stays(
    instructor: Person, revisions: AsyncCollection[dict[str, Any]]
) -> None:
    module = await instructor.create_module((await instructor.create_course())["id"])
    lesson = await instructor.create_lesson(module, body="First.")
    path = f"{lessons_of(module)}/{lesson['id']}"
    before = await revisions.find_one({"_id": ObjectId(lesson["revision_id"])})
    changed = (await instructor.patch(path, {"body": "Second."})).json()
    assert changed["revision_id"] != lesson["revision_id"]
    assert (await instructor.get(path)).json() == changed
    assert changed["body"] == "Second."
    assert await revisions.find_one({"_id": ObjectId(lesson["revision_id"])}) == before
    assert before is not None
    assert (before["lesson_id"], before["author_id"], before["body"]) == (lesson["id"], instructor.id, "First.")


async def test_a_change_without_a_body_keeps_the_revision(instructor: Person) -> None:
    module = await instructor.create_module((await instructor.create_course())["id"])
    lesson = await instructor.create_lesson(module)
    changed = (await instructor.patch(f"{lessons_of(module)}/{lesson['id']}", {"title": "Renamed"})).json()
    assert changed["revision_id"] == lesson["revision_id"]
    assert (changed["body"], changed["title"], changed["version"]) == (lesson["body"], "Renamed", 2)


async def test_who_may_not_write_leaves_no_revision(
    instructor: Person, other_instructor: Person, revisions: AsyncCollection[dict[str, Any]]
) -> None:
    module = await instructor.create_module((await instructor.create_course())["id"])
    lesson = await instructor.create_lesson(module)
    count = await revisions.count_documents({})
    problem(await other_instructor.post(lessons_of(module), {"title": "x", "body": "x"}), 404)
    path = f"{lessons_of(module)}/{lesson['id']}"
    problem(await other_instructor.patch(path, {"body": "x"}), 404)
    problem(await instructor.patch(path, {"body": "x"}, headers={"If-Match": '"9"'}), 412)
    assert await revisions.count_documents({}) == count


@pytest.fixture
async def unsettled(revisions: AsyncCollection[dict[str, Any]]) -> AsyncCollection[dict[str, Any]]:
    """The notes of revisions that are not known to be a lesson's, none at first."""
    notes = revisions.database[UNSETTLED]
    await notes.delete_many({})
    return notes


async def collect_later(app: FastAPI, clock: FixedClock) -> None:
    clock.advance(timedelta(hours=2))
    await RevisionCollector(app.state.database, app.state.lessons._revisions, clock).collect()


async def test_a_body_that_never_became_a_lessons_is_collected(
    app: FastAPI,
    instructor: Person,
    clock: FixedClock,
    revisions: AsyncCollection[dict[str, Any]],
    unsettled: AsyncCollection[dict[str, Any]],
) -> None:
    course = await instructor.publish_course()
    path = f"{lessons_of(course['modules'][0])}/{course['modules'][0]['lessons'][0]['id']}"
    before = await revisions.count_documents({})
    problem(await instructor.patch(path, {"body": "Lost.", "is_published": False}), 409)
    assert await revisions.count_documents({}) == before + 1
    clock.advance(timedelta(minutes=50))
    await RevisionCollector(app.state.database, app.state.lessons._revisions, clock).collect()
    assert await revisions.count_documents({}) == before + 1  # it could still be on its way
    await collect_later(app, clock)
    assert await revisions.count_documents({}) == before
    assert await unsettled.count_documents({}) == 0
    assert (await instructor.get(path)).json()["body"] == "Read this."


async def test_a_body_that_was_a_lessons_is_kept_also_if_it_could_not_be_settled_then(
    app: FastAPI,
    instructor: Person,
    clock: FixedClock,
    revisions: AsyncCollection[dict[str, Any]],
    unsettled: AsyncCollection[dict[str, Any]],
) -> None:
    module = await instructor.create_module((await instructor.create_course())["id"])
    lesson = await instructor.create_lesson(module)
    path, ids = f"{lessons_of(module)}/{lesson['id']}", [lesson["revision_id"]]
    for body in ("Second.", "Third."):
        assert await unsettled.count_documents({}) == 0
        await unsettled.insert_one({"_id": ObjectId(ids[-1]), "started_at": clock.now()})  # as if it were away
        ids.append((await instructor.patch(path, {"body": body})).json()["revision_id"])
    await unsettled.insert_one({"_id": ObjectId(ids[-1]), "started_at": clock.now()})
    await collect_later(app, clock)
    assert await unsettled.count_documents({}) == 0
    assert await revisions.count_documents({"_id": {"$in": [ObjectId(id_) for id_ in ids]}}) == 3


async def test_a_body_that_is_not_a_lessons_any_more_is_kept_for_the_attempts_it_graded(
    app: FastAPI,
    instructor: Person,
    student: Person,
    clock: FixedClock,
    revisions: AsyncCollection[dict[str, Any]],
    unsettled: AsyncCollection[dict[str, Any]],
) -> None:
    course = await instructor.publish_course()
    quiz = await instructor.create_lesson(course["modules"][0], "Quiz", kind="quiz", body=QUIZ)
    await student.enroll(course)
    await student.submit(quiz, RIGHT)
    await instructor.patch(f"{lessons_of(course['modules'][0])}/{quiz['id']}", {"body": QUIZ | {"passing_score": 10}})
    graded = ObjectId(quiz["revision_id"])
    await unsettled.insert_one({"_id": graded, "started_at": clock.now()})
    await collect_later(app, clock)
    assert await revisions.count_documents({"_id": graded}) == 1


async def test_a_body_of_another_kind_is_refused(instructor: Person) -> None:
    module = await instructor.create_module((await instructor.create_course())["id"])
    new = {"title": "x", "kind": "text", "body": {"url": "https://example.org"}}
    assert problem(await instructor.post(lessons_of(module), new), 422)["errors"][0]["loc"] == "body.body"
    text = await instructor.create_lesson(module)
    document = problem(await instructor.patch(f"{lessons_of(module)}/{text['id']}", {"body": new["body"]}), 422)
    assert document["errors"][0]["loc"] == "body.body"


async def test_a_body_that_cannot_be_stored_is_refused(instructor: Person) -> None:
    module = await instructor.create_module((await instructor.create_course())["id"])
    document = problem(await instructor.post(lessons_of(module), {"title": "x", "body": {"$where": "1"}}), 422)
    assert document["errors"][0]["loc"].startswith("body.body")
