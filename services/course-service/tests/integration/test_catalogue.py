"""The public catalogue: what is listed, found, and in which order."""

from __future__ import annotations

import secrets

import pytest
from course_people import Person

from shared.utils.datetime import FixedClock


async def titles(person: Person, **params: str | int) -> list[str]:
    answer = await person.get("/api/courses", params=params)
    assert answer.status_code == 200, answer.text
    return [course["title"] for course in answer.json()["items"]]


async def test_only_published_courses_are_listed_even_for_their_owner(
    instructor: Person, admin: Person, anonymous: Person
) -> None:
    await instructor.publish_course("Public")
    await instructor.create_course("Draft")
    gone = await instructor.publish_course("Gone")
    await instructor.post(f"/api/courses/{gone['id']}/archive")
    for person in (anonymous, instructor, admin):
        assert await titles(person) == ["Public"]


async def test_newest_come_first_and_pages_do_not_overlap(
    instructor: Person, anonymous: Person, clock: FixedClock
) -> None:
    for number in range(5):
        if number != 3:  # two are published at the same moment: the id settles it
            clock.advance(seconds=1)
        await instructor.publish_course(f"Course {number}")
    first = (await anonymous.get("/api/courses", params={"size": 2})).json()
    assert {key: first[key] for key in ("total", "total_is_exact", "page", "size", "pages")} == {
        "total": 5,
        "total_is_exact": True,
        "page": 1,
        "size": 2,
        "pages": 3,
    }
    pages = [await titles(anonymous, size=2, page=page) for page in (1, 2, 3, 4)]
    assert pages == [["Course 4", "Course 3"], ["Course 2", "Course 1"], ["Course 0"], []]


@pytest.mark.parametrize(
    "title",
    [
        f"Course-{secrets.token_hex(4)}",
        "Course-12e45678",
        "Course-1e5",
        "Course-00000000",
        "To be or not to be",
        "C++ & C# - what's new?",
        "Don't -panic! \"Quoted\" 'single'",
        "Grundzüge der Größenlehre",
        "日本語入門",
        "1.5 hours with node.js/v20",
        "me@example.org: a life",
    ],
)
async def test_a_full_title_finds_its_course(instructor: Person, anonymous: Person, title: str) -> None:
    await instructor.publish_course("Something else entirely")
    await instructor.publish_course(title)
    assert (await titles(anonymous, q=title))[:1] == [title]


@pytest.mark.parametrize("q", ["prog", "PROGRAMMING", "programs", "java prog", "  jav  ", "learn", "learnt"])
async def test_beginnings_and_inflections_of_words_find_a_course(instructor: Person, anonymous: Person, q: str) -> None:
    await instructor.publish_course("Programming in Java", description="You will be learning by doing.")
    await instructor.publish_course("Cooking", description="Soups.")
    expected = [] if q == "learnt" else ["Programming in Java"]
    assert await titles(anonymous, q=q) == expected


@pytest.mark.parametrize("q", ["cook & soup:*", "!!!", "a:b:c", "'", "\\", "((", "<->", "soup | nothing", "%"])
async def test_operators_in_a_search_are_only_text(instructor: Person, anonymous: Person, q: str) -> None:
    await instructor.publish_course("Cooking", description="Soups.")
    assert (await anonymous.get("/api/courses", params={"q": q})).status_code == 200


async def test_a_title_weighs_more_than_a_description(instructor: Person, anonymous: Person) -> None:
    await instructor.publish_course("Knots")
    await instructor.publish_course("Sailing", description="Also knots.")
    assert await titles(anonymous, q="knots") == ["Knots", "Sailing"]


async def test_an_empty_search_is_the_whole_list(instructor: Person, anonymous: Person) -> None:
    await instructor.publish_course("Knots")
    assert await titles(anonymous, q="  ") == ["Knots"]


async def test_an_instructors_courses(instructor: Person, other_instructor: Person, anonymous: Person) -> None:
    await instructor.publish_course("Mine")
    await other_instructor.publish_course("Theirs")
    assert await titles(anonymous, instructor_id=instructor.id or 0) == ["Mine"]


@pytest.mark.parametrize("params", [{"page": 0}, {"size": 101}, {"q": "x" * 201}, {"instructor_id": 2**31}])
async def test_queries_out_of_bounds_are_refused(anonymous: Person, params: dict[str, str | int]) -> None:
    assert (await anonymous.get("/api/courses", params=params)).status_code == 422


async def test_mine_lists_all_states_and_only_mine(instructor: Person, other_instructor: Person) -> None:
    await instructor.publish_course("Public")
    await instructor.create_course("Draft")
    await other_instructor.create_course("Theirs")
    mine = (await instructor.get("/api/courses/mine")).json()
    assert {course["title"] for course in mine["items"]} == {"Public", "Draft"}
    drafts = (await instructor.get("/api/courses/mine", params={"status": "draft"})).json()
    assert [course["title"] for course in drafts["items"]] == ["Draft"]
