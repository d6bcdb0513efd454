"""People of each class, and courses in which all that an operation can be about exists."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import httpx

from ..e2e.people import Person, Platform, created, unique

QUIZ = {
    "passing_score": 50,
    "questions": [
        {"id": "sum", "kind": "numeric", "prompt": "What is 2 + 2?", "answer": 4},
        {"id": "sky", "kind": "true_false", "prompt": "The sky is blue.", "correct": True},
    ],
}
ANSWERS = {"answers": {"sum": 4, "sky": True}}
TEXT_LESSON = {"title": "Read", "kind": "text", "body": "a, b, c", "is_published": True}
QUIZ_LESSON = {"title": "Answer", "kind": "quiz", "body": QUIZ, "is_published": True}
BROWSER = {
    "endpoint": "https://push.example.org/a-browser",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}
"""The subscription that RFC 8291 has as its example, at another address."""


class World:
    """A student, the instructor who teaches them, and an administrator; whoever is `anonymous` is nobody."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.admin = platform.log_in(**platform.admin)
        self.student = platform.new_student()
        self.instructor = platform.new_instructor(self.admin)

    def headers(self, caller: str) -> dict[str, str]:
        """What this caller's requests carry; their traces are not recorded."""
        declined = {"traceparent": f"00-{'c' * 32}-{'c' * 16}-00"}
        if caller == "anonymous":
            return declined
        person: Person = getattr(self, caller)
        return declined | {"Authorization": f"Bearer {person.tokens['access_token']}"}

    def log_in_again(self, caller: str) -> None:
        person: Person = getattr(self, caller)
        setattr(self, caller, self.platform.log_in(person.email, person.password))


class Scene:
    """What the path parameters of one operation stand for; each thing is made when it is asked for."""

    def __init__(self, world: World) -> None:
        self.world = world

    def find(self, name: str) -> Any:
        """The value of a path parameter or field of this name; None for a thing that can't be made at will."""
        return getattr(self, name, None)

    @cached_property
    def course(self) -> dict[str, Any]:
        """A published course, which would still be one without its first module."""
        teach = self.world.instructor.post
        course = created(teach("/api/courses", {"title": unique("Letters"), "description": "From A to Z."}))
        modules = f"/api/courses/{course['id']}/modules"
        module, more = (created(teach(modules, {"title": title})) for title in ("All of it", "And more"))
        lessons = f"{modules}/{module['id']}/lessons"
        lesson = created(teach(lessons, TEXT_LESSON))
        created(teach(f"{modules}/{more['id']}/lessons", TEXT_LESSON | {"is_required": False}))
        answer = teach(f"/api/courses/{course['id']}/publish")
        assert answer.status_code == 200, answer.text
        return {"course_id": course["id"], "module_id": module["id"], "lesson_id": lesson["id"], "lessons": lessons}

    @property
    def course_id(self) -> int:
        return int(self.course["course_id"])

    @property
    def module_id(self) -> int:
        return int(self.course["module_id"])

    @property
    def lesson_id(self) -> int:
        return int(self.course["lesson_id"])

    @property
    def taken_lesson_id(self) -> int:
        """A lesson of a course that the student takes."""
        assert self.enrollment_id
        return self.lesson_id

    @cached_property
    def quiz_id(self) -> int:
        """A quiz in a course that the student takes."""
        assert self.enrollment_id
        quiz_id: int = created(self.world.instructor.post(self.course["lessons"], QUIZ_LESSON))["id"]
        return quiz_id

    @cached_property
    def attachment_id(self) -> int:
        file = {"file": ("notes.txt", b"Letters, in order.\n")}
        path = f"/api/lessons/{self.lesson_id}/attachments"
        attachment_id: int = created(self.world.instructor.request("POST", path, files=file))["id"]
        return attachment_id

    @cached_property
    def enrollment_id(self) -> int:
        """The student's, in a course that they have completed."""
        student = self.world.student
        enrollment_id: int = created(student.post("/api/enrollments", {"course_id": self.course_id}))["id"]
        answer = student.post(f"/api/lessons/{self.lesson_id}/complete")
        assert answer.status_code == 200, answer.text
        return enrollment_id

    @cached_property
    def certificate(self) -> dict[str, Any]:
        return created(self.world.student.post(f"/api/enrollments/{self.enrollment_id}/certificate"))

    @property
    def certificate_id(self) -> int:
        return int(self.certificate["id"])

    @property
    def code(self) -> str:
        return str(self.certificate["verification_code"])

    @cached_property
    def open_course_id(self) -> int:
        """A published course without students."""
        open_course_id: int = self.world.platform.author_course(self.world.instructor)["id"]
        return open_course_id

    @cached_property
    def notification_id(self) -> int:
        notification_id: int = self.world.student.get("/api/notifications").json()["items"][0]["id"]
        return notification_id

    @cached_property
    def subscription_id(self) -> int:
        answer: httpx.Response = self.world.student.post("/api/notifications/push/subscriptions", BROWSER)
        assert answer.status_code in (200, 201), answer.text
        return int(answer.json()["id"])

    @cached_property
    def newcomer(self) -> Person:
        """Somebody whom nobody will miss."""
        return self.world.platform.new_student()

    @cached_property
    def key_id(self) -> int:
        """An API key of the student's."""
        return _new_key_id(self.world.student)

    @cached_property
    def newcomers_key_id(self) -> int:
        return _new_key_id(self.newcomer)

    @property
    def user_id(self) -> int:
        return self.newcomer.id

    @property
    def instructor_id(self) -> int:
        return self.world.instructor.id


def _new_key_id(person: Person) -> int:
    key = {"name": unique("key"), "scopes": ["user:read"]}
    return int(created(person.post("/api/users/me/api-keys", key))["id"])
