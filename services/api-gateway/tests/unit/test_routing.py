"""The compiled route table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api_gateway.routing import Route, RouteTable, RouteTableError, may_overlap

INTEGER = {"item_id": "integer"}


def route(method: str, path: str, **more: object) -> Route:
    values = {"service": "course", "allow": ("authenticated",), "rate": "default", "parameters": {}} | more
    return Route(method=method, path=path, **values)  # type: ignore[arg-type]


TABLE = RouteTable(
    [
        route("GET", "/api/courses"),
        route("GET", "/api/courses/mine"),
        route("GET", "/api/courses/{item_id}", parameters=INTEGER),
        route("DELETE", "/api/courses/{item_id}", parameters=INTEGER),
        route("GET", "/api/files/{name}", parameters={"name": "string"}),
        route("GET", "/api/badges/{key}", parameters={"key": "uuid"}),
    ]
)


def test_a_path_is_found_with_all_its_methods() -> None:
    found = TABLE.find("/api/courses/12")
    assert found is not None
    assert sorted(found) == ["DELETE", "GET"]


def test_a_fixed_segment_goes_before_a_parameter() -> None:
    found = TABLE.find("/api/courses/mine")
    assert found is not None
    assert found["GET"].path == "/api/courses/mine"


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/api", "/api/courses/", "/api/courses/x", "/api/courses/-1", "/api/courses/1/2", "/api/coursesx",
        "/api/courses/99999999999999999999", "/api/files/", "/api/badges/12", "/API/courses", "/api/courses/\u0661",
    ],
)  # fmt: skip
def test_what_only_resembles_a_route_is_not_found(path: str) -> None:
    assert TABLE.find(path) is None


@given(st.text(max_size=40))
def test_no_path_breaks_the_lookup(text: str) -> None:
    TABLE.find("/" + text)


def test_two_services_cannot_claim_one_operation() -> None:
    with pytest.raises(RouteTableError, match="declared by course and by user"):
        RouteTable([route("GET", "/api/x"), route("GET", "/api/x", service="user")])


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (route("GET", "/api/{a}", parameters={"a": "string"}), route("GET", "/api/x"), True),
        (route("GET", "/api/{a}", parameters={"a": "integer"}), route("GET", "/api/x"), False),
        (route("GET", "/api/{a}", parameters={"a": "integer"}), route("GET", "/api/7"), True),
        (route("GET", "/api/{a}", parameters={"a": "string"}), route("POST", "/api/x"), False),
        (route("GET", "/api/{a}/b", parameters={"a": "string"}), route("GET", "/api/x/c"), False),
    ],
)
def test_overlap_is_seen(one: Route, other: Route, overlap: bool) -> None:
    assert may_overlap(one, other) is overlap
    assert may_overlap(other, one) is overlap


@pytest.mark.parametrize(
    "wrong",
    [{"allow": ()}, {"allow": ("root",)}, {"rate": "none"}, {"parameters": {}, "path": "/api/{x}"}, {"path": "/a b"}],
)
def test_a_route_that_cannot_be_carried_out_is_refused(wrong: dict[str, object]) -> None:
    path = str(wrong.pop("path", "/api/x"))
    with pytest.raises(RouteTableError, match="course: GET"):
        route("GET", path, **wrong)
