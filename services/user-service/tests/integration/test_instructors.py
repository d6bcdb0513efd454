"""Instructors and their profiles."""

from typing import Any

PROFILE = {
    "headline": "Teaches compilers",
    "bio": "Wrote one.",
    "expertise": ["Compilers", "COBOL"],
    "website": "https://example.org/grace",
}


async def test_anybody_reads_an_instructors_profile(service: Any) -> None:
    grace = await service.newly(role="instructor", full_name="Grace")
    written = await service.call("PUT", "/api/instructors/me", by=grace, json=PROFILE)
    assert written.status_code == 200, written.text
    expected = {"user_id": grace.id, "full_name": "Grace"} | PROFILE
    assert written.json() == expected
    assert (await service.call("GET", f"/api/instructors/{grace.id}")).json() == expected


async def test_writing_again_replaces_the_whole_profile(service: Any) -> None:
    grace = await service.newly(role="instructor")
    await service.call("PUT", "/api/instructors/me", by=grace, json=PROFILE)
    answer = (await service.call("PUT", "/api/instructors/me", by=grace, json={"headline": "Sails"})).json()
    assert (answer["headline"], answer["bio"], answer["expertise"], answer["website"]) == ("Sails", None, [], None)
    assert await service.sql.fetchval("SELECT count(*) FROM instructor_profiles") == 1


async def test_active_instructors_are_listed_by_name_with_or_without_a_profile(service: Any) -> None:
    grace = await service.newly(role="instructor", full_name="Grace")
    await service.call("PUT", "/api/instructors/me", by=grace, json=PROFILE)
    ada = await service.person(role="instructor", full_name="Ada")
    await service.person(role="instructor", full_name="Gone", is_active=False)
    await service.person(role="student", full_name="Student")
    page = (await service.call("GET", "/api/instructors", params={"size": 10})).json()
    assert [item["user_id"] for item in page["items"]] == [ada.id, grace.id]
    assert (page["items"][0]["headline"], page["items"][0]["expertise"], page["total"]) == (None, [], 2)
    assert "@" not in str(page), "addresses are nobody's business"
    second = (await service.call("GET", "/api/instructors", params={"size": 1, "page": 2})).json()
    assert ([item["user_id"] for item in second["items"]], second["total"]) == ([grace.id], 2)


async def test_who_is_no_active_instructor_has_no_profile(service: Any, problem: Any) -> None:
    student, gone = await service.person(), await service.person(role="instructor", is_active=False)
    for user_id in (student.id, gone.id, 999_999):
        problem(await service.call("GET", f"/api/instructors/{user_id}"), 404, "instructor-not-found")


async def test_only_instructors_write_one(service: Any, problem: Any) -> None:
    for role in ("student", "admin"):
        person = await service.newly(role=role)
        problem(await service.call("PUT", "/api/instructors/me", by=person, json=PROFILE), 403, "forbidden")
    problem(await service.call("PUT", "/api/instructors/me", json=PROFILE), 401, "authentication-required")


async def test_an_instructor_who_was_demoted_a_moment_ago_writes_none(service: Any, problem: Any) -> None:
    grace = await service.newly(role="instructor")
    await service.sql.execute("UPDATE users SET role = 'student'")
    problem(await service.call("PUT", "/api/instructors/me", by=grace, json=PROFILE), 403, "forbidden")
