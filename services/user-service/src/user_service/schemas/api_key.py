"""Shapes of API keys as their owners see them."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from shared.api_keys import Scope
from shared.schemas.base import Schema

DEFAULT_DAYS = 90
LONGEST_DAYS = 365

KeyName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$"),
    Field(description="What it is for, or where it is kept", examples=["nightly report"]),
]
Scopes = Annotated[
    list[Scope],
    Field(min_length=1, max_length=len(Scope), examples=[["course:read"]]),
    AfterValidator(lambda scopes: sorted(set(scopes))),
]


class ApiKeyCreate(Schema):
    """A key to be made."""

    name: KeyName
    scopes: Scopes
    expires_in_days: Annotated[int, Field(ge=1, le=LONGEST_DAYS, strict=True)] = DEFAULT_DAYS


class ApiKeyResponse(Schema):
    """What may be shown of a key."""

    id: Annotated[int, Field(examples=[7])]
    name: str
    prefix: Annotated[str, Field(description="How the key begins", examples=["sck_8f14e45fceea167a"])]
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime
    last_used_at: Annotated[
        datetime | None,
        Field(description="When a gateway last asked about it; each does so once in an access token's lifetime"),
    ]
    revoked_at: datetime | None


class ApiKeyCreated(ApiKeyResponse):
    """A new key, whole: it is shown this once."""

    key: Annotated[str, Field(description="Sent with requests as `Authorization: Bearer …`")]
