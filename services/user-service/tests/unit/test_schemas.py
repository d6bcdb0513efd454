"""What clients may send."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from user_service.schemas.auth import UserLogin, UserRegister
from user_service.schemas.instructor import InstructorProfileUpdate
from user_service.schemas.user import UserUpdate

NEWCOMER = {"email": "ada@example.org", "password": "correct horse", "full_name": "Ada"}


def test_an_address_is_stored_in_lower_case() -> None:
    assert UserRegister.model_validate(NEWCOMER | {"email": " Ada@Example.ORG "}).email == "ada@example.org"


def test_a_password_of_72_bytes_is_accepted() -> None:
    UserRegister.model_validate(NEWCOMER | {"password": "é" * 36})


@pytest.mark.parametrize(
    ("model", "document", "field"),
    [
        (UserRegister, NEWCOMER | {"role": "admin"}, "role"),
        (UserRegister, NEWCOMER | {"password": "é" * 7}, "password"),
        (UserRegister, NEWCOMER | {"password": "é" * 37}, "password"),
        (UserRegister, NEWCOMER | {"is_active": True}, "is_active"),
        (UserRegister, NEWCOMER | {"id": 1}, "id"),
        (UserRegister, NEWCOMER | {"email": "nobody"}, "email"),
        (UserRegister, NEWCOMER | {"email": "a@b"}, "email"),
        (UserRegister, NEWCOMER | {"email": "user-1@anonymised.invalid"}, "email"),
        (UserRegister, NEWCOMER | {"password": "short"}, "password"),
        (UserRegister, NEWCOMER | {"password": "é" * 36 + "x"}, "password"),
        (UserRegister, NEWCOMER | {"password": "with\x00nul-inside"}, "password"),
        (UserRegister, NEWCOMER | {"full_name": "  "}, "full_name"),
        (UserRegister, NEWCOMER | {"full_name": "two\nlines"}, "full_name"),
        (UserRegister, NEWCOMER | {"full_name": "x" * 201}, "full_name"),
        (UserLogin, {"email": "a\x00b", "password": "x"}, "email"),
        (UserLogin, {"email": "a@example.org", "password": "x", "remember": True}, "remember"),
        (UserUpdate, {"role": "root"}, "role"),
        (UserUpdate, {"role": "anonymous"}, "role"),
        (UserUpdate, {"is_active": 0}, "is_active"),
        (UserUpdate, {"email": "other@example.org"}, "email"),
        (InstructorProfileUpdate, {"website": "javascript:alert(1)"}, "website"),
        (InstructorProfileUpdate, {"website": "https://example.org?" + "x" * 480}, "website"),  # 501 with its `/`
        (InstructorProfileUpdate, {"expertise": ["x"] * 21}, "expertise"),
        (InstructorProfileUpdate, {"user_id": 1}, "user_id"),
    ],
)
def test_a_field_that_is_wrong_or_unknown_is_refused_by_name(
    model: type[BaseModel], document: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        model.model_validate(document)
    assert [error["loc"][0] for error in refusal.value.errors()] == [field]


@pytest.mark.parametrize("document", [{}, {"role": None}, {"is_active": None}])
def test_an_update_that_says_nothing_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        UserUpdate.model_validate(document)


def test_a_password_is_not_in_the_text_of_a_request() -> None:
    assert "correct horse" not in repr(UserRegister.model_validate(NEWCOMER))
