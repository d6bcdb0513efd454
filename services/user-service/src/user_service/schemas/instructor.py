"""Shapes of instructor profiles."""

from typing import Annotated

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints, TypeAdapter

from shared.schemas.base import Schema

_http_url = TypeAdapter(HttpUrl)


def _checked_url(value: str) -> str:
    return str(_http_url.validate_python(value))


Line = StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")
Text = StringConstraints(strip_whitespace=True, max_length=5000, pattern=r"^[^\x00]*$")
Topic = Annotated[str, Line, Field(max_length=60)]
Website = Annotated[
    str, Field(max_length=500), AfterValidator(_checked_url), Field(json_schema_extra={"format": "uri"})
]


class InstructorProfileUpdate(Schema):
    """A whole profile: what is left out is emptied."""

    headline: Annotated[str, Line, Field(max_length=200, examples=["Teaches compilers"])] | None = None
    bio: Annotated[str, Text] | None = None
    expertise: Annotated[list[Topic], Field(max_length=20, default_factory=list)]
    website: Website | None = None


class InstructorResponse(Schema):
    """What everybody may know about an instructor; the email address is not part of it."""

    user_id: int
    full_name: str
    headline: str | None
    bio: str | None
    expertise: list[str]
    website: str | None
