"""Errors that a client can be told about. Below ``api/`` nothing else is raised for one.

A service derives its own and gives them facts:

    class CourseNotFound(NotFoundError):
        slug = "course-not-found"
        title = "There is no such course"

        def __init__(self, course_id: int) -> None:
            super().__init__(f"Course {course_id} does not exist.", extra={"course_id": course_id})
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class SmartCourseError(Exception):
    """Base of them all. ``detail`` is read by clients: it never quotes a secret or another person's data."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal-error"
    title: ClassVar[str] = "Something went wrong on our side"

    def __init__(
        self, detail: str = "", *, headers: Mapping[str, str] | None = None, extra: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.headers: dict[str, str] = dict(headers or {})
        self.extra: dict[str, Any] = dict(extra or {})


class BadRequestError(SmartCourseError):
    """The request makes no sense as it is."""

    status = 400
    slug = "bad-request"
    title = "The request could not be understood"


class AuthenticationError(SmartCourseError):
    """Nobody is logged in, or the proof of it is not good."""

    status = 401
    slug = "authentication-required"
    title = "Authentication is required"

    def __init__(
        self, detail: str = "", *, headers: Mapping[str, str] | None = None, extra: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"} | dict(headers or {}), extra=extra)


class ForbiddenError(SmartCourseError):
    """Somebody is logged in who may not do this."""

    status = 403
    slug = "forbidden"
    title = "This is not allowed"


class NotFoundError(SmartCourseError):
    """The object does not exist, or not for this person."""

    status = 404
    slug = "not-found"
    title = "Not found"


class ConflictError(SmartCourseError):
    """The object's state does not allow it."""

    status = 409
    slug = "conflict"
    title = "The current state does not allow this"


class PayloadTooLargeError(SmartCourseError):
    """The body is larger than allowed."""

    status = 413
    slug = "payload-too-large"
    title = "The request is too large"


class UnprocessableError(SmartCourseError):
    """Well-formed, but what it says cannot be."""

    status = 422
    slug = "unprocessable"
    title = "The request's content is not valid"


class _RetryLaterError(SmartCourseError):
    """An error that passes; ``retry_after_seconds`` becomes the header Retry-After."""

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after_seconds: int | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail, headers=headers, extra=extra)
        self.retry_after_seconds = retry_after_seconds
        if retry_after_seconds is not None:
            self.headers["Retry-After"] = str(retry_after_seconds)


class RateLimitedError(_RetryLaterError):
    """Too many requests or attempts."""

    status = 429
    slug = "rate-limited"
    title = "Too many requests"


class UnavailableError(_RetryLaterError):
    """Something this needs, such as a datastore, does not answer."""

    status = 503
    slug = "unavailable"
    title = "Temporarily unavailable"
