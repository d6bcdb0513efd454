"""Shapes of registration, login and tokens."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from shared.schemas.base import Schema
from shared.utils.validators import Email, Password
from user_service.schemas.user import FullName

# A password that is only compared needs no policy: whatever is too short or too long is simply wrong. The bound keeps
# the work of refusing it small.
PresentedPassword = Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class UserRegister(Schema):
    """A new account; its role is always `student`, so the field does not exist here."""

    email: Annotated[Email, Field(examples=["ada@example.org"])]
    password: Annotated[
        Password,
        Field(description="At least 8 characters, at most 72 bytes in UTF-8", examples=["correct horse battery"]),
    ]
    full_name: FullName


class UserLogin(Schema):
    """Credentials. The address is compared as it is, so that any account that exists can log in."""

    email: Annotated[str, Field(min_length=1, max_length=254, pattern=r"^[^\x00]*$", examples=["ada@example.org"])]
    password: PresentedPassword


class RefreshTokenRequest(Schema):
    """A refresh token as login or an earlier refresh gave it."""

    refresh_token: Annotated[SecretStr, Field(min_length=1, max_length=4096)]


class PasswordChange(Schema):
    """The current password and the one to put in its place."""

    current_password: PresentedPassword
    new_password: Password


class TokenResponse(Schema):
    """A pair of tokens."""

    access_token: Annotated[str, Field(description="Sent with requests as `Authorization: Bearer …`")]
    refresh_token: Annotated[str, Field(description="Exchanged once, at `/api/auth/refresh`, for the next pair")]
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the scheme's name (RFC 6750), not a password
    expires_in: Annotated[int, Field(description="Seconds until the access token expires", examples=[900])]
