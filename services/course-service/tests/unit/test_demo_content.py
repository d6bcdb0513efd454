"""The demo courses are fit for the catalogue."""

from __future__ import annotations

from course_service.core.grading import grade
from course_service.schemas.lesson import LessonCreate
from course_service.schemas.quiz import QuizDefinition, QuizSubmission
from course_service.seed.content import DEMO_COURSES


def test_every_demo_course_can_be_written_and_has_a_preview() -> None:
    assert len(DEMO_COURSES) == 3
    assert len({course.instructor_email for course in DEMO_COURSES}) == 2
    for course in DEMO_COURSES:
        lessons = [lesson for module in course.modules for lesson in module.lessons]
        assert any(lesson.is_preview for lesson in lessons)
        assert len({lesson.title for lesson in lessons}) == len(lessons)
        for lesson in lessons:
            LessonCreate(title=lesson.title, body=lesson.body, duration_minutes=lesson.duration_minutes)


def test_the_right_answers_of_every_demo_quiz_pass_it() -> None:
    for course in DEMO_COURSES:
        for module in course.modules:
            quiz = QuizDefinition.model_validate(module.quiz.body)
            assert grade(quiz, QuizSubmission(answers=module.quiz.right).answers).is_passed, module.quiz.title
