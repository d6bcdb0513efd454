"""Quizzes as JSON: what an author writes, what a student sees of it, and what comes of an attempt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, StringConstraints, ValidationInfo, field_validator

from course_service.schemas.text import NoNul, Percentage
from shared.schemas.base import Schema

MAX_QUESTIONS = 200
MAX_OPTIONS = 50
MAX_ANSWER_CHARACTERS = 1000


class QuestionKind(StrEnum):
    """How a question is answered."""

    SINGLE = "single"
    MULTIPLE = "multiple"
    TRUE_FALSE = "true_false"
    NUMERIC = "numeric"
    SHORT_TEXT = "short_text"


class ShowAnswers(StrEnum):
    """When a student is told the right answers and their explanations."""

    NEVER = "never"
    AFTER_PASS = "after_pass"  # noqa: S105 - no password
    AFTER_ATTEMPT = "after_attempt"


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic reports only a ValueError
    return Decimal(str(value))  # 0.1 as it is written, not as binary stores it


def _unique(values: Iterable[str], what: str) -> None:
    repeated = sorted(value for value, count in Counter(values).items() if count > 1)
    if repeated:
        raise ValueError(f"{what} must differ: {', '.join(repeated)} occurs more than once")


Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""The id of a question or an option, chosen by the author."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000), NoNul]
ShortText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ANSWER_CHARACTERS), NoNul
]
Number = Annotated[
    Decimal, BeforeValidator(_number, json_schema_input_type=float), Field(ge=Decimal("-1e15"), le=Decimal("1e15"))
]


class Option(Schema):
    """One of the answers to choose from."""

    id: Key
    text: Text


class _Question(Schema):
    id: Key
    prompt: Text
    points: Annotated[Number, Field(gt=0, le=1000)] = Decimal(1)
    explanation: Text | None = Field(default=None, description="Shown with the right answer")


class _Choice(_Question):
    options: Annotated[list[Option], Field(min_length=2, max_length=MAX_OPTIONS)]

    @field_validator("options")
    @classmethod
    def _options_differ(cls, options: list[Option]) -> list[Option]:
        _unique((option.id for option in options), "ids of options")
        return options


def _is_offered(key: str, info: ValidationInfo) -> str:
    options = info.data.get("options")  # missing if they are not valid themselves, and reported
    if options is not None and key not in {option.id for option in options}:
        raise ValueError(f"{key} is not the id of an option")
    return key


class SingleChoice(_Choice):
    """One option is right."""

    kind: Literal[QuestionKind.SINGLE]
    correct: Key

    @field_validator("correct")
    @classmethod
    def _correct_is_offered(cls, correct: str, info: ValidationInfo) -> str:
        return _is_offered(correct, info)


class MultipleChoice(_Choice):
    """Some options are right: exactly these earn the points, any other selection earns none."""

    kind: Literal[QuestionKind.MULTIPLE]
    correct: Annotated[list[Key], Field(min_length=1)]

    @field_validator("correct")
    @classmethod
    def _correct_are_offered(cls, correct: list[str], info: ValidationInfo) -> list[str]:
        _unique(correct, "right options")
        return [_is_offered(key, info) for key in correct]


class TrueFalse(_Question):
    """A statement that holds or does not."""

    kind: Literal[QuestionKind.TRUE_FALSE]
    correct: StrictBool


class Numeric(_Question):
    """A number, right if it is within the tolerance of the answer, its ends included."""

    kind: Literal[QuestionKind.NUMERIC]
    answer: Number
    tolerance: Annotated[Number, Field(ge=0)] = Decimal(0)


class ShortAnswer(_Question):
    """A few words, right if they are one of the answers: compared without regard to width, spaces and case."""

    kind: Literal[QuestionKind.SHORT_TEXT]
    answers: Annotated[list[ShortText], Field(min_length=1, max_length=MAX_OPTIONS)]
    case_sensitive: StrictBool = False


Question = Annotated[
    SingleChoice | MultipleChoice | TrueFalse | Numeric | ShortAnswer,
    Field(discriminator="kind"),
]


class QuizDefinition(Schema):
    """A quiz as its author writes it: the body of a lesson of kind `quiz`."""

    questions: Annotated[list[Question], Field(min_length=1, max_length=MAX_QUESTIONS)]
    passing_score: Annotated[Number, Field(ge=0, le=100, description="In percent of the points")] = Decimal(70)
    max_attempts: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = Field(
        default=None, description="Null: any"
    )
    show_answers: ShowAnswers = ShowAnswers.AFTER_PASS

    @field_validator("questions")
    @classmethod
    def _questions_differ(cls, questions: list[Question]) -> list[Question]:
        _unique((question.id for question in questions), "ids of questions")
        return questions

    def without_answers(self) -> dict[str, Any]:
        """Return the quiz as a student sees it, in the shape of `QuizView`: what that doesn't name is not shown."""
        return QuizView.model_validate(self).model_dump(mode="json", exclude_none=True)


class QuestionView(Schema):
    """A question without its answer."""

    id: str
    kind: QuestionKind
    prompt: str
    points: float
    options: list[Option] | None = None


class QuizView(Schema):
    """A quiz without its answers."""

    questions: list[QuestionView]
    passing_score: float
    max_attempts: int | None = None
    show_answers: ShowAnswers


class QuizDetail(Schema):
    """A quiz as the reader may take it; attempts and scores are the reader's own."""

    id: int = Field(description="The lesson's id")
    course_id: int
    module_id: int
    title: str
    revision_id: str
    quiz: QuizView
    attempts_used: int
    attempts_left: int | None = Field(description="Null: any number")
    best_score: float | None
    is_passed: bool


Answer = (
    StrictBool
    | Annotated[float, Field(strict=True, allow_inf_nan=False)]
    | Annotated[str, StringConstraints(max_length=MAX_ANSWER_CHARACTERS), NoNul]
    | Annotated[list[Key], Field(max_length=MAX_OPTIONS)]
    | None
)
"""An option's id, a list of them, true or false, a number, or text; null is a blank."""


class QuizSubmission(Schema):
    """Answers by the id of their question. One that is left out, null or empty is blank and earns nothing."""

    answers: Annotated[dict[Key, Answer], Field(max_length=MAX_QUESTIONS)]


class QuestionResult(Schema):
    """What an answer earned. The last two are there only if the quiz shows answers at this point."""

    question_id: str
    is_correct: bool
    points_earned: float
    points: float
    correct_answer: bool | float | str | list[str] | None = None
    explanation: str | None = None


class QuizAttemptSummary(Schema):
    """An attempt at a quiz."""

    id: int
    number: int
    score_percentage: Percentage
    is_passed: bool
    submitted_at: datetime
    revision_id: str = Field(description="The revision of the lesson that it was graded against")
    answers: dict[str, Any]


class QuizResult(Schema):
    """How an attempt was graded."""

    attempt_id: int
    quiz_id: int
    number: int
    score_percentage: Percentage
    is_passed: bool
    submitted_at: datetime
    best_score: float
    attempts_left: int | None = Field(description="Null: any number")
    results: list[QuestionResult]
    completion_percentage: Percentage = Field(description="Of the course, afterwards")
