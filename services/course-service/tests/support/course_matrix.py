"""What each operation answers to each kind of person, for a course in each state: statuses in the order of `ROLES`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from course_people import QUIZ, RIGHT

ROLES = ("anonymous", "stranger", "enrolled", "suspended", "dropped", "owner", "other instructor", "admin")
STATES = ("draft", "published", "archived")


@dataclass(frozen=True)
class Expected:
    """Statuses by state. `body` is sent as JSON, `file` as a form; paths name the quiz if `is_quiz`."""

    draft: str
    published: str
    archived: str
    body: Any = None
    file: bytes | None = None
    is_quiz: bool = False

    def statuses(self, state: str) -> dict[str, int]:
        return dict(zip(ROLES, map(int, getattr(self, state).split()), strict=True))


def always(statuses: str, **request: Any) -> Expected:
    """Whatever becomes of the course."""
    return Expected(statuses, statuses, statuses, **request)


def everybody(ok: int = 200) -> Expected:
    return always(" ".join([str(ok)] * len(ROLES)))


def logged_in() -> Expected:
    return always("401 200 200 200 200 200 200 200")


def authors_by_role(ok: int, **request: Any) -> Expected:
    """For instructors and admins, whichever."""
    return always(f"401 403 403 403 403 {ok} {ok} {ok}", **request)


def admins(ok: int = 200, **request: Any) -> Expected:
    return always(f"401 403 403 403 403 403 403 {ok}", **request)


def outline() -> Expected:
    """What is published is for everybody; archived courses stay with their students."""
    return Expected(
        draft="404 404 404 404 404 200 404 200",
        published="200 200 200 200 200 200 200 200",
        archived="404 404 200 404 404 200 404 200",
    )


def body_of_lesson() -> Expected:
    """The same, but what is published is for students."""
    return Expected(
        draft="404 404 404 404 404 200 404 200",
        published="401 403 200 403 403 200 403 200",
        archived="404 404 200 404 404 200 404 200",
    )


def edit(ok: int, **request: Any) -> Expected:
    """Changes by who answers for the course; an archived one stays as it is."""
    return Expected(
        draft=f"401 403 403 403 403 {ok} 404 {ok}",
        published=f"401 403 403 403 403 {ok} 403 {ok}",
        archived="401 403 403 403 403 409 404 409",
        **request,
    )


def own_course(ok: int) -> Expected:
    """For who answers for the course, archived or not."""
    return Expected(
        draft=f"401 403 403 403 403 {ok} 404 {ok}",
        published=f"401 403 403 403 403 {ok} 403 {ok}",
        archived=f"401 403 403 403 403 {ok} 404 {ok}",
    )


def own_enrollment(ok: int) -> Expected:
    """For its student, whatever became of it, and for who answers for the course. Strangers ask for another's."""
    return always(f"401 404 {ok} {ok} {ok} {ok} 404 {ok}")


MATRIX = {
    # courses
    "list_courses": everybody(),
    "list_my_courses": authors_by_role(200),
    "create_course": authors_by_role(201, body={"title": "New", "description": "New."}),
    "get_course": outline(),
    "update_course": edit(200, body={"title": "New"}),
    "replace_course": edit(200, body={"title": "New", "description": "New."}),
    "publish_course": edit(200),
    "archive_course": own_course(200),
    "delete_course": own_course(204),
    # modules and lessons
    "list_modules": outline(),
    "create_module": edit(201, body={"title": "New"}),
    "update_module": edit(200, body={"title": "New"}),
    "replace_module": edit(200, body={"title": "New"}),
    "delete_module": edit(204),
    "list_lessons": outline(),
    "create_lesson": edit(201, body={"title": "New", "kind": "quiz", "body": QUIZ}),
    "get_lesson": body_of_lesson(),
    "update_lesson": edit(200, body={"title": "New"}),
    "delete_lesson": edit(204),
    # enrollments
    "enroll": Expected(
        draft="401 404 404 404 404 409 404 409",
        published="401 201 409 409 201 403 201 201",
        archived="401 404 409 404 404 409 404 409",
        body={"course_id": "{course_id}"},
    ),
    "list_my_enrollments": logged_in(),
    "get_enrollment": own_enrollment(200),
    "drop_enrollment": always("401 404 204 409 204 403 404 204"),
    "suspend_enrollment": admins(body={"reason": "Because."}),
    "reinstate_enrollment": admins(),
    "list_course_enrollments": own_course(200),
    # progress
    "get_progress": own_enrollment(200),
    "complete_lesson": Expected(
        draft="401 404 404 404 404 403 404 403",
        published="401 403 200 403 403 403 403 403",
        archived="401 404 200 404 404 403 404 403",
    ),
    # quizzes
    "get_quiz": Expected(
        draft="401 404 404 404 404 200 404 200",
        published="401 403 200 403 403 200 403 200",
        archived="401 404 200 404 404 200 404 200",
        is_quiz=True,
    ),
    "list_quiz_attempts": Expected(
        draft="401 404 404 404 404 200 404 200",
        published="401 200 200 200 200 200 200 200",
        archived="401 404 200 404 404 200 404 200",
        is_quiz=True,
    ),
    "submit_quiz": Expected(
        draft="401 404 404 404 404 403 404 403",
        published="401 403 201 403 403 403 403 403",
        archived="401 404 201 404 404 403 404 403",
        body={"answers": RIGHT},
        is_quiz=True,
    ),
    # certificates: each enrollment has one, without its file; asking for it again is not refused to the suspended
    "issue_certificate": own_enrollment(200),
    "list_my_certificates": logged_in(),
    "get_certificate": own_enrollment(200),
    "get_certificate_pdf": own_enrollment(202),
    "verify_certificate": everybody(),
    "revoke_certificate": admins(body={"reason": "Because."}),
    "restore_certificate": admins(),
    # files
    "list_attachments": body_of_lesson(),
    "create_attachment": edit(201, file=b"Some text.\n"),
    "get_attachment": body_of_lesson(),
    "get_attachment_content": body_of_lesson(),
    "delete_attachment": edit(204),
}
