"""Quizzes: what may be written, what a student sees of it, and how answers are graded."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from course_people import QUIZ
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from course_service.core.errors import InvalidAnswersError
from course_service.core.grading import grade
from course_service.schemas.lesson import LessonCreate, LessonKind
from course_service.schemas.quiz import QuizDefinition, QuizSubmission

OPTIONS = [{"id": "a", "text": "A"}, {"id": "b", "text": "B"}, {"id": "c", "text": "C"}]
SINGLE = {"id": "q", "kind": "single", "prompt": "?", "options": OPTIONS, "correct": "b"}
MULTIPLE = {"id": "q", "kind": "multiple", "prompt": "?", "options": OPTIONS, "correct": ["a", "c"]}
TRUE_FALSE = {"id": "q", "kind": "true_false", "prompt": "?", "correct": False}
NUMERIC = {"id": "q", "kind": "numeric", "prompt": "?", "answer": 0.3, "tolerance": 0.1}
SHORT_TEXT = {"id": "q", "kind": "short_text", "prompt": "?", "answers": ["Straße 7", "road 7"]}
ALL = [
    {**question, "id": f"q{number}"}
    for number, question in enumerate([SINGLE, MULTIPLE, TRUE_FALSE, NUMERIC, SHORT_TEXT])
]
RIGHT_TO_ALL = {"q0": "b", "q1": ["c", "a"], "q2": False, "q3": 0.3, "q4": "ROAD  7"}


def quiz(*questions: dict[str, Any], **fields: Any) -> QuizDefinition:
    return QuizDefinition.model_validate({"questions": list(questions)} | fields)


def graded(question: dict[str, Any], answer: Any) -> bool:
    return grade(quiz(question), submitted({"q": answer})).questions[0].is_correct


def submitted(answers: dict[str, Any]) -> dict[str, Any]:
    """Answers as they come through JSON."""
    return dict(QuizSubmission.model_validate({"answers": json.loads(json.dumps(answers))}).answers)


@pytest.mark.parametrize(
    ("question", "answer", "expected"),
    [
        (SINGLE, "b", True),
        (SINGLE, "a", False),
        (MULTIPLE, ["c", "a"], True),
        (MULTIPLE, ["a"], False),
        (MULTIPLE, ["a", "b", "c"], False),
        (TRUE_FALSE, False, True),
        (TRUE_FALSE, True, False),
        (NUMERIC, 0.2, True),
        (NUMERIC, 0.4, True),
        (NUMERIC, 0.41, False),
        (NUMERIC, 0, False),
        (NUMERIC | {"answer": 5, "tolerance": 0}, 5, True),
        (NUMERIC | {"answer": 5, "tolerance": 0}, 5.0000001, False),
        (SHORT_TEXT, "  strasse\t7 ", True),
        (SHORT_TEXT, "\uff32\uff2f\uff21\uff24\u3000\uff17", True),  # ROAD 7 in full width
        (SHORT_TEXT, "road", False),
        (SHORT_TEXT | {"case_sensitive": True}, "Road 7", False),
        (SHORT_TEXT | {"case_sensitive": True}, "road  7", True),
    ],
)
def test_an_answer_is_right_or_not(question: dict[str, Any], answer: Any, expected: bool) -> None:
    assert graded(question, answer) is expected


@pytest.mark.parametrize("question", [SINGLE, MULTIPLE, TRUE_FALSE, NUMERIC | {"answer": 0}, SHORT_TEXT])
@pytest.mark.parametrize("blank", [None, "", "  ", []])
def test_a_blank_is_not_right_whatever_is_asked(question: dict[str, Any], blank: Any) -> None:
    assert graded(question, blank) is False
    assert grade(quiz(question, passing_score=1), {}).score_percentage == 0


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (SINGLE, "d"),
        (SINGLE, ["b"]),
        (SINGLE, 1),
        (SINGLE, True),
        (MULTIPLE, "a"),
        (MULTIPLE, ["a", "d"]),
        (MULTIPLE, ["a", "a", "c"]),
        (TRUE_FALSE, "false"),
        (TRUE_FALSE, 0),
        (NUMERIC, "0.3"),
        (NUMERIC, True),
        (SHORT_TEXT, 7),
        (SHORT_TEXT, ["road"]),
    ],
)
def test_an_answer_of_another_shape_is_refused(question: dict[str, Any], answer: Any) -> None:
    with pytest.raises(InvalidAnswersError) as refused:
        graded(question, answer)
    assert [error["loc"] for error in refused.value.extra["errors"]] == ["body.answers.q"]


def test_answers_to_questions_that_are_not_asked_are_refused_all_at_once() -> None:
    with pytest.raises(InvalidAnswersError) as refused:
        grade(quiz(SINGLE), {"x": "b", "q": "z", "y": None})
    locations = [error["loc"] for error in refused.value.extra["errors"]]
    assert locations == ["body.answers.q", "body.answers.x", "body.answers.y"]


@pytest.mark.parametrize("answer", [float("inf"), float("nan"), 10**400, "nul\0", "\ud800", "x" * 1001, {"a": 1}])
def test_an_answer_that_no_question_takes_is_refused(answer: Any) -> None:
    with pytest.raises(ValidationError):
        QuizSubmission.model_validate({"answers": {"q": answer}})


def test_points_weigh_and_the_shown_score_decides() -> None:
    questions = [{**SINGLE, "id": "one", "points": 1}, {**SINGLE, "id": "two", "points": 2}]
    grading = grade(quiz(*questions, passing_score=66.67), {"two": "b"})
    assert (grading.score_percentage, grading.is_passed) == (Decimal("66.67"), True)
    assert not grade(quiz(*questions, passing_score=66.68), {"two": "b"}).is_passed


def test_a_quiz_whose_passing_score_is_zero_is_passed_by_handing_it_in() -> None:
    assert grade(quiz(SINGLE, passing_score=0), {}).is_passed


@given(
    answers=st.fixed_dictionaries(
        {},
        optional={
            "q0": st.sampled_from(["a", "b", "c", None]),
            "q1": st.lists(st.sampled_from("abc"), unique=True),
            "q2": st.booleans(),
            "q3": st.floats(allow_nan=False, allow_infinity=False),
            "q4": st.text(),
        },
    )
)
def test_whatever_is_answered_the_score_is_between_0_and_100(answers: dict[str, Any]) -> None:
    grading = grade(quiz(*ALL), answers)
    assert 0 <= grading.score_percentage <= 100
    right = sum(each.is_correct for each in grading.questions)
    assert grading.score_percentage == 20 * right


def test_all_right_is_100() -> None:
    assert grade(quiz(*ALL), RIGHT_TO_ALL).score_percentage == 100


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"questions": []}, "questions"),
        ({"questions": [SINGLE, SINGLE]}, "questions"),
        ({"questions": [SINGLE | {"correct": "d"}]}, "questions.0.single.correct"),
        ({"questions": [SINGLE | {"options": OPTIONS[:1]}]}, "questions.0.single.options"),
        ({"questions": [SINGLE | {"options": [*OPTIONS, OPTIONS[0]]}]}, "questions.0.single.options"),
        ({"questions": [SINGLE | {"points": 0}]}, "questions.0.single.points"),
        ({"questions": [SINGLE | {"points": True}]}, "questions.0.single.points"),
        ({"questions": [SINGLE | {"id": "a b"}]}, "questions.0.single.id"),
        ({"questions": [SINGLE | {"prompt": " "}]}, "questions.0.single.prompt"),
        ({"questions": [SINGLE | {"hint": "?"}]}, "questions.0.single.hint"),
        ({"questions": [MULTIPLE | {"correct": []}]}, "questions.0.multiple.correct"),
        ({"questions": [MULTIPLE | {"correct": ["a", "a"]}]}, "questions.0.multiple.correct"),
        ({"questions": [MULTIPLE | {"correct": ["a", "d"]}]}, "questions.0.multiple.correct"),
        ({"questions": [TRUE_FALSE | {"correct": "yes"}]}, "questions.0.true_false.correct"),
        ({"questions": [NUMERIC | {"answer": 1e16}]}, "questions.0.numeric.answer"),
        ({"questions": [NUMERIC | {"tolerance": -1}]}, "questions.0.numeric.tolerance"),
        ({"questions": [SHORT_TEXT | {"answers": []}]}, "questions.0.short_text.answers"),
        ({"questions": [SHORT_TEXT | {"answers": [" "]}]}, "questions.0.short_text.answers.0"),
        ({"questions": [SINGLE | {"kind": "essay"}]}, "questions.0"),
        ({"passing_score": 101}, "passing_score"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"show_answers": "always"}, "show_answers"),
        ({"time_limit": 5}, "time_limit"),
    ],
)
def test_a_quiz_that_makes_no_sense_is_refused_saying_where(change: dict[str, Any], location: str) -> None:
    with pytest.raises(ValidationError) as refused:
        LessonCreate.model_validate({"title": "Q", "kind": "quiz", "body": QUIZ | change})
    assert [".".join(map(str, error["loc"])) for error in refused.value.errors()] == [f"body.{location}"]


def test_every_mistake_is_listed_at_once() -> None:
    questions = [SINGLE | {"correct": "d"}, NUMERIC | {"id": "n", "answer": "five"}]
    with pytest.raises(ValidationError) as refused:
        LessonCreate(title="Q", kind=LessonKind.QUIZ, body={"questions": questions, "passing_score": -1})
    assert len(refused.value.errors()) == 3


def test_a_quiz_is_an_object() -> None:
    with pytest.raises(ValidationError):
        LessonCreate(title="Q", kind=LessonKind.QUIZ, body="What is 1 + 1?")


def test_a_student_sees_the_questions_and_nothing_of_the_answers() -> None:
    secret = [question | {"explanation": "secret"} for question in ALL]
    view = quiz(*secret, max_attempts=2).without_answers()
    assert view["max_attempts"] == 2
    assert [set(question) for question in view["questions"]] == [
        {"id", "kind", "prompt", "points", *(["options"] if "options" in question else [])} for question in ALL
    ]
    assert all(set(option) == {"id", "text"} for option in view["questions"][0]["options"])
