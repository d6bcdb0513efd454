"""Shapes of a user account as clients see it."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints, model_validator

from shared.schemas.base import Schema


class UserRole(StrEnum):
    """What an account may do; the database checks the same values."""

    STUDENT = "student"
    INSTRUCTOR = "instructor"
    ADMIN = "admin"


FullName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$"),
    Field(examples=["Ada Lovelace"]),
]


SearchText = Annotated[
    str | None, Field(max_length=100, pattern=r"^[^\x00]*$", description="Part of the full name or email address")
]


class UserResponse(Schema):
    """One account. Never carries the password's hash."""

    id: Annotated[int, Field(examples=[7])]
    email: Annotated[str, Field(examples=["ada@example.org"])]
    full_name: Annotated[str, Field(examples=["Ada Lovelace"])]
    role: UserRole
    is_active: bool
    created_at: datetime
    updated_at: datetime


class UserFilter(Schema):
    """What a listing of accounts may be narrowed by; absent means all."""

    role: UserRole | None = None
    is_active: bool | None = None
    q: SearchText = None


class ProfileUpdate(Schema):
    """What people may change about themselves."""

    full_name: FullName


class UserUpdate(Schema):
    """What an administrator may change; a field left out stays as it is, at least one is needed."""

    role: UserRole | None = None
    is_active: StrictBool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "UserUpdate":
        if not self.model_fields_set:
            raise ValueError("name at least one of: role, is_active")
        if any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("a field that is given must not be null")
        return self
