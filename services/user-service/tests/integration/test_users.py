"""What administrators see and change."""

import asyncio
from typing import Any

import pytest


async def patch(service: Any, admin: Any, user_id: int, **change: Any) -> Any:
    return await service.call("PATCH", f"/api/users/{user_id}", by=admin, json=change)


@pytest.mark.parametrize("role", ["student", "instructor"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/users", None),
        ("GET", "/api/users/1", None),
        ("PATCH", "/api/users/1", {"role": "admin"}),
        ("POST", "/api/users/1/anonymise", None),
    ],
)
async def test_only_administrators_may(
    service: Any, problem: Any, role: str, method: str, path: str, body: dict[str, Any] | None
) -> None:
    person = await service.newly(role=role)
    problem(await service.call(method, path, by=person, json=body), 403, "forbidden")
    assert await service.sql.fetchval("SELECT role FROM users") == role


async def test_accounts_are_listed_in_pages(service: Any) -> None:
    admin = await service.newly(role="admin")
    people = [await service.person(full_name=f"Person {number}") for number in range(4)]
    page = (await service.call("GET", "/api/users", by=admin, params={"page": 2, "size": 2})).json()
    assert [item["id"] for item in page["items"]] == [people[1].id, people[2].id]
    assert {name: page[name] for name in ("total", "total_is_exact", "page", "size", "pages")} == {
        "total": 5, "total_is_exact": True, "page": 2, "size": 2, "pages": 3,
    }  # fmt: skip
    assert "password" not in str(page)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"q": "LOVE"}, {"Ada Lovelace"}),
        ({"q": "instructor-"}, {"Grace Hopper", "Alan Turing"}),
        ({"q": "%"}, {"100% Alice"}),
        ({"q": "_"}, set()),
        ({"role": "instructor"}, {"Grace Hopper", "Alan Turing"}),
        ({"role": "instructor", "is_active": False}, {"Alan Turing"}),
        ({"is_active": True, "q": "ing"}, set()),
        ({"q": "nobody at all"}, set()),
    ],
)
async def test_accounts_are_found_by_name_address_role_and_activity(
    service: Any, wanted: dict[str, Any], found: set[str]
) -> None:
    admin = await service.newly(role="admin", full_name="Root")
    await service.person(full_name="Ada Lovelace")
    await service.person(full_name="100% Alice")
    await service.person(full_name="Grace Hopper", role="instructor")
    await service.person(full_name="Alan Turing", role="instructor", is_active=False)
    page = (await service.call("GET", "/api/users", by=admin, params=wanted)).json()
    assert {item["full_name"] for item in page["items"]} == found


@pytest.mark.parametrize("wanted", [{"role": "root"}, {"size": 101}, {"page": 0}, {"q": "\x00"}, {"is_active": "?"}])
async def test_a_malformed_search_is_refused(service: Any, problem: Any, wanted: dict[str, Any]) -> None:
    admin = await service.newly(role="admin")
    document = problem(await service.call("GET", "/api/users", by=admin, params=wanted), 422, "validation-failed")
    assert document["errors"][0]["loc"] == f"query.{next(iter(wanted))}"


async def test_an_account_is_read_by_its_id(service: Any, problem: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.person()
    assert (await service.call("GET", f"/api/users/{person.id}", by=admin)).json()["email"] == person.email
    problem(await service.call("GET", "/api/users/999999", by=admin), 404, "user-not-found")
    for odd in ("0", "-1", "x", str(2**31), "99999999999999999999"):
        problem(await service.call("GET", f"/api/users/{odd}", by=admin), 422, "validation-failed")


async def test_a_new_role_ends_all_the_persons_sessions_in_one_entry(service: Any, problem: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.newly()
    elsewhere = await service.log_in(person)
    answer = await patch(service, admin, person.id, role="instructor")
    assert (answer.status_code, answer.json()["role"]) == (200, "instructor")
    assert await service.revoked_sids() == [{person.sid, elsewhere.sid}]
    problem(await service.refresh(person.tokens["refresh_token"]), 401, "invalid-refresh-token")
    again = await service.log_in(person)
    assert service.claims(again.tokens["access_token"])["role"] == "instructor"


async def test_a_deactivation_ends_all_sessions_and_an_activation_opens_the_account_again(
    service: Any, problem: Any
) -> None:
    admin, person = await service.newly(role="admin"), await service.newly()
    assert (await patch(service, admin, person.id, is_active=False)).json()["is_active"] is False
    assert await service.revoked_sids() == [{person.sid}]
    credentials = {"email": person.email, "password": person.password}
    problem(await service.call("POST", "/api/auth/login", json=credentials), 401, "account-deactivated")
    assert (await patch(service, admin, person.id, is_active=True)).status_code == 200
    await service.log_in(person)
    assert await service.sql.fetchval("SELECT revoked_reason FROM sessions WHERE sid::text = $1", person.sid) == (
        "deactivation"
    )


async def test_what_is_changed_is_announced_once(service: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.newly()
    for change in ({"role": "instructor"}, {"is_active": False}, {"is_active": False}, {"is_active": True}):
        assert (await patch(service, admin, person.id, **change)).status_code == 200
    assert await service.announced() == [
        ("user.role_changed", {"user_id": person.id, "role": "instructor", "previous_role": "student"}),
        ("user.deactivated", {"user_id": person.id}),
        ("user.reactivated", {"user_id": person.id}),
    ]


async def test_two_changes_at_once_are_two_events(service: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.person(role="instructor")
    await patch(service, admin, person.id, role="student", is_active=False)
    assert await service.announced() == [
        ("user.role_changed", {"user_id": person.id, "role": "student", "previous_role": "instructor"}),
        ("user.deactivated", {"user_id": person.id}),
    ]


async def test_a_change_and_its_event_are_one_transaction(service: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.person()
    await patch(service, admin, person.id, role="instructor")
    changed = await service.sql.fetchval("SELECT xmin::text FROM users WHERE id = $1", person.id)
    written = await service.sql.fetch("SELECT xmin::text FROM user_outbox")
    assert [row["xmin"] for row in written] == [changed]


async def test_a_refused_change_announces_nothing(service: Any) -> None:
    admin = await service.newly(role="admin")
    assert (await patch(service, admin, admin.id, role="student")).status_code == 409
    assert await service.announced() == []


async def test_an_anonymisation_is_announced_once_and_says_nothing_about_the_person(service: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.person(full_name="Ada Lovelace")
    for _ in range(2):
        await service.call("POST", f"/api/users/{person.id}/anonymise", by=admin)
    assert await service.announced() == [
        ("user.deactivated", {"user_id": person.id}),
        ("user.anonymised", {"user_id": person.id}),
    ]


async def test_a_closed_account_is_only_anonymised(service: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.person(is_active=False)
    await service.call("POST", f"/api/users/{person.id}/anonymise", by=admin)
    assert await service.announced() == [("user.anonymised", {"user_id": person.id})]


async def test_a_change_to_what_is_already_so_ends_no_session(service: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.newly()
    assert (await patch(service, admin, person.id, role="student", is_active=True)).status_code == 200
    assert await service.outbox() == []
    assert (await service.refresh(person.tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize("change", [{}, {"role": "root"}, {"role": None}, {"email": "x@example.org"}, {"id": 5}])
async def test_a_malformed_change_is_refused(service: Any, problem: Any, change: dict[str, Any]) -> None:
    admin, person = await service.newly(role="admin"), await service.person()
    problem(await patch(service, admin, person.id, **change), 422, "validation-failed")


async def test_a_change_to_nobody_is_not_found(service: Any, problem: Any) -> None:
    admin = await service.newly(role="admin")
    problem(await patch(service, admin, 999_999, role="student"), 404, "user-not-found")


@pytest.mark.parametrize("change", [{"role": "student"}, {"is_active": False}])
async def test_the_last_active_administrator_stays_one(service: Any, problem: Any, change: dict[str, Any]) -> None:
    admin = await service.newly(role="admin")
    await service.person(role="admin", is_active=False)
    problem(await patch(service, admin, admin.id, **change), 409, "last-administrator")
    problem(await service.call("POST", f"/api/users/{admin.id}/anonymise", by=admin), 409, "last-administrator")
    assert (await service.call("GET", "/api/auth/me", by=admin)).json()["role"] == "admin"
    another = await service.person(role="admin")
    assert (await patch(service, admin, admin.id, **change)).status_code == 200
    assert await service.sql.fetchval("SELECT id FROM users WHERE role = 'admin' AND is_active") == another.id


async def test_two_administrators_who_demote_each_other_at_once_leave_one(service: Any) -> None:
    first, second = await service.newly(role="admin"), await service.newly(role="admin")
    answers = await asyncio.gather(
        patch(service, first, second.id, role="student"), patch(service, second, first.id, role="student")
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert await service.sql.fetchval("SELECT count(*) FROM users WHERE role = 'admin'") == 1


async def test_no_login_slips_past_a_deactivation(service: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.person()
    credentials = {"email": person.email, "password": person.password}
    logins = [service.call("POST", "/api/auth/login", json=credentials) for _ in range(6)]
    await asyncio.gather(*logins[:3], patch(service, admin, person.id, is_active=False), *logins[3:])
    live = "SELECT count(*) FROM sessions WHERE user_id = $1 AND revoked_at IS NULL"
    assert await service.sql.fetchval(live, person.id) == 0


async def test_an_anonymised_person_is_gone_and_the_row_stays(service: Any, problem: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.newly(role="instructor", full_name="Ada Lovelace")
    await service.call("PUT", "/api/instructors/me", by=person, json={"headline": "Ada's courses"})
    answer = await service.call("POST", f"/api/users/{person.id}/anonymise", by=admin)
    assert answer.status_code == 200, answer.text
    account = answer.json()
    assert (account["id"], account["full_name"], account["is_active"]) == (person.id, "Former member", False)
    assert account["email"] == f"user-{person.id}@anonymised.invalid"
    stored = str(dict(await service.sql.fetchrow("SELECT * FROM users WHERE id = $1", person.id)))
    assert "Ada" not in stored
    assert person.email not in stored
    assert await service.sql.fetchval("SELECT count(*) FROM instructor_profiles") == 0
    assert await service.revoked_sids() == [{person.sid}]
    problem(await service.call("GET", f"/api/instructors/{person.id}"), 404, "instructor-not-found")
    credentials = {"email": person.email, "password": person.password}
    problem(await service.call("POST", "/api/auth/login", json=credentials), 401, "invalid-credentials")


async def test_an_anonymised_account_stays_closed(service: Any, problem: Any) -> None:
    admin, person = await service.newly(role="admin"), await service.person()
    path = f"/api/users/{person.id}/anonymise"
    first, again = [(await service.call("POST", path, by=admin)).json() for _ in range(2)]
    assert first == again
    problem(await patch(service, admin, person.id, is_active=True), 409, "account-anonymised")
