"""Shapes of instructor profiles."""

from typing import Annotated

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints, TypeAdapter

from shared.schemas.base import Schema

_http_url = TypeAdapter(HttpUrl)

MAX_WEBSITE_CHARACTERS = 500


def _checked_url(value: str) -> str:
    url = str(_http_url.validate_python(value))  # may be longer than what was sent: `/` is added, a name spelt in ASCII
    if len(url) > MAX_WEBSITE_CHARACTERS:
        raise ValueError(f"must have at most {MAX_WEBSITE_CHARACTERS} characters when it is written in full")
    return url


Line = StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")
Text = StringConstraints(strip_whitespace=True, max_length=5000, pattern=r"^[^\x00]*$")
Topic = Annotated[str, Line, Field(max_length=60)]
Website = Annotated[
    str,
    Field(max_length=MAX_WEBSITE_CHARACTERS),
    AfterValidator(_checked_url),
    Field(json_schema_extra={"format": "uri"}),
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
