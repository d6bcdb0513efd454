"""The base of request and response bodies, and the shape of every error."""

from pydantic import BaseModel, ConfigDict, Field


class Schema(BaseModel):
    """Base of bodies: unknown fields are refused, objects with the same attributes are accepted."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class FieldProblem(BaseModel):
    """One value that needs attention."""

    loc: str = Field(description="Where it is", examples=["body.role"])
    message: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="What kind of problem it is", examples=["urn:smartcourse:problem:not-found"])
    title: str
    status: int
    detail: str
    instance: str = Field(description="The path that was asked for")
    trace_id: str = Field(description="Under which it is found in logs and traces")
    errors: list[FieldProblem] | None = None
