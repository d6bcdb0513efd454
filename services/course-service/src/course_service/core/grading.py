"""Grading answers against a quiz: pure, exact, and the only place that knows what is right."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, assert_never

from course_service.core.errors import InvalidAnswersError
from course_service.schemas.quiz import (
    MultipleChoice,
    Numeric,
    Question,
    QuizDefinition,
    ShortAnswer,
    SingleChoice,
    TrueFalse,
)

HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Graded:
    """A question and whether its answer is right."""

    question: Question
    is_correct: bool

    @property
    def points_earned(self) -> Decimal:
        """All the question's points, or none."""
        return self.question.points if self.is_correct else Decimal(0)


@dataclass(frozen=True, slots=True)
class Grading:
    """What answers earned; the score is in percent, rounded half up to two decimals, and that decides."""

    questions: list[Graded]
    score_percentage: Decimal
    is_passed: bool


def grade(quiz: QuizDefinition, answers: Mapping[str, Any]) -> Grading:
    """Grade `answers`, which are by the id of their question; a blank is not right.

    Raises:
        InvalidAnswersError: one is to a question that the quiz has not, or of a shape that it does not take.
    """
    known = {question.id: question for question in quiz.questions}
    problems = dict.fromkeys(answers.keys() - known.keys(), "there is no such question")
    for id_ in answers.keys() & known.keys():
        wanted = _misfit(known[id_], answers[id_])
        if wanted is not None:
            problems[id_] = f"must be {wanted}"
    if problems:
        raise InvalidAnswersError(dict(sorted(problems.items())))
    graded = [Graded(question, _is_correct(question, answers.get(question.id))) for question in quiz.questions]
    earned, possible = sum(each.points_earned for each in graded), sum(question.points for question in quiz.questions)
    score = Decimal(100 * earned / possible).quantize(HUNDREDTH, ROUND_HALF_UP)
    return Grading(graded, score_percentage=score, is_passed=score >= quiz.passing_score)


def correct_answer(question: Question) -> bool | float | str | list[str]:
    """Return the right answer as JSON shows it; of a short text, the first that is right."""
    match question:
        case SingleChoice() | MultipleChoice() | TrueFalse():
            return question.correct
        case Numeric():
            return float(question.answer)
        case ShortAnswer():
            return question.answers[0]
        case _:
            assert_never(question)


def normalised(text: str, *, case_sensitive: bool) -> str:
    """Return `text` in the form in which it is compared: NFKC, single spaces, and caseless unless case matters."""
    text = unicodedata.normalize("NFKC", text)
    if not case_sensitive:
        text = unicodedata.normalize("NFKC", text.casefold())
    return " ".join(text.split())


def _misfit(question: Question, answer: Any) -> str | None:
    """Return what the answer should be, if it is not of that shape."""
    if _is_blank(answer):
        return None
    match question:
        case SingleChoice():
            is_option = isinstance(answer, str) and answer in _offered(question)
            return None if is_option else "one of the question's options, by its id"
        case MultipleChoice():
            is_list = isinstance(answer, list) and set(answer) <= _offered(question) and len(set(answer)) == len(answer)
            return None if is_list else "a list of the question's options, by their ids, each once"
        case TrueFalse():
            return None if isinstance(answer, bool) else "true or false"
        case Numeric():
            return None if isinstance(answer, int | float) and not isinstance(answer, bool) else "a number"
        case ShortAnswer():
            return None if isinstance(answer, str) else "text"
        case _:
            assert_never(question)


def _is_correct(question: Question, answer: Any) -> bool:
    if _is_blank(answer):
        return False
    match question:
        case SingleChoice() | TrueFalse():
            return bool(answer == question.correct)
        case MultipleChoice():
            return set(answer) == set(question.correct)
        case Numeric():
            return abs(Decimal(str(answer)) - question.answer) <= question.tolerance
        case ShortAnswer():
            right = {normalised(text, case_sensitive=question.case_sensitive) for text in question.answers}
            return normalised(answer, case_sensitive=question.case_sensitive) in right
        case _:
            assert_never(question)


def _is_blank(answer: Any) -> bool:
    return answer is None or (isinstance(answer, str) and not answer.strip()) or answer == []


def _offered(question: SingleChoice | MultipleChoice) -> set[str]:
    return {option.id for option in question.options}
