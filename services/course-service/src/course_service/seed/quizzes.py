"""What the demo courses ask at the end of each module: the bodies of lessons of kind `quiz`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from course_service.schemas.quiz import QuizDefinition


@dataclass(frozen=True, slots=True)
class DemoQuiz:
    """A published, required quiz."""

    title: str
    body: dict[str, Any]
    right: dict[str, Any]
    """Answers that pass."""

    def __post_init__(self) -> None:
        """Refuse a definition that an author could not have saved."""
        QuizDefinition.model_validate(self.body)


def _options(**texts: str) -> list[dict[str, str]]:
    return [{"id": id_, "text": text} for id_, text in texts.items()]


VALUES = DemoQuiz(
    title="Check: values and names",
    body={
        "passing_score": 60,
        "questions": [
            {
                "id": "printed",
                "kind": "numeric",
                "prompt": "`price = 4`, then `count = 3`, then `print(price * count)`. What is printed?",
                "points": 1,
                "answer": 12,
                "explanation": "A name stands for the value that it was given last.",
            },
            {
                "id": "equals",
                "kind": "single",
                "prompt": "What does `=` do?",
                "points": 1,
                "options": _options(
                    name="It gives a value a name.", compare="It asks whether two values are the same."
                ),
                "correct": "name",
            },
            {
                "id": "order",
                "kind": "true_false",
                "prompt": "Python reads a file from its top to its end.",
                "points": 1,
                "correct": True,
            },
        ],
    },
    right={"printed": 12, "equals": "name", "order": True},
)
REPETITION = DemoQuiz(
    title="Check: decisions and repetition",
    body={
        "passing_score": 50,
        "max_attempts": 5,
        "questions": [
            {
                "id": "false",
                "kind": "multiple",
                "prompt": "Which of these count as false?",
                "points": 2,
                "options": _options(zero="0", empty='""', text='"no"', list="[]"),
                "correct": ["zero", "empty", "list"],
                "explanation": "Zero and what is empty count as false; a text with anything in it counts as true.",
            },
            {
                "id": "word",
                "kind": "short_text",
                "prompt": "Which word begins a line that is repeated once for each of many things?",
                "points": 1,
                "answers": ["for"],
            },
        ],
    },
    right={"false": ["zero", "empty", "list"], "word": "for"},
)
TABLES = DemoQuiz(
    title="Check: tables that tell the truth",
    body={
        "questions": [
            {
                "id": "places",
                "kind": "numeric",
                "prompt": "In how many places should a customer's address be written down?",
                "points": 1,
                "answer": 1,
            },
            {
                "id": "who",
                "kind": "single",
                "prompt": "Two programs insert one address at the same moment. What reliably keeps one of them out?",
                "points": 1,
                "options": _options(
                    look="Looking for the address before inserting it.",
                    unique="A UNIQUE constraint.",
                    hope="Nothing can.",
                ),
                "correct": "unique",
                "explanation": "Between looking and inserting there is always time for somebody else.",
            },
        ],
    },
    right={"places": 1, "who": "unique"},
)
QUESTIONS = DemoQuiz(
    title="Check: questions in SQL",
    body={
        "questions": [
            {
                "id": "left",
                "kind": "true_false",
                "prompt": "A LEFT JOIN keeps rows of the left table that have no partner.",
                "points": 1,
                "correct": True,
            },
            {
                "id": "undo",
                "kind": "short_text",
                "prompt": "Which command ends a transaction and undoes what it did?",
                "points": 1,
                "answers": ["rollback", "abort"],
            },
        ],
    },
    right={"left": True, "undo": "ROLLBACK"},
)
READERS = DemoQuiz(
    title="Check: before you write",
    body={
        "questions": [
            {
                "id": "first",
                "kind": "single",
                "prompt": "What comes first in a message that asks for a decision?",
                "points": 1,
                "options": _options(history="How it came to this.", ask="What is to be decided, and by when."),
                "correct": "ask",
            }
        ],
    },
    right={"first": "ask"},
)
SENTENCES = DemoQuiz(
    title="Check: sentence by sentence",
    body={
        "questions": [
            {
                "id": "who",
                "kind": "single",
                "prompt": "Which sentence says who acts?",
                "points": 1,
                "options": _options(
                    passive="The server was restarted.",
                    active="The night shift restarted the server.",
                    noun="A restart took place.",
                ),
                "correct": "active",
            },
            {
                "id": "cut",
                "kind": "multiple",
                "prompt": "Which words can go from 'In order to basically fix this, it is necessary to restart'?",
                "points": 1,
                "options": _options(inorder="In order", basically="basically", restart="restart"),
                "correct": ["inorder", "basically"],
            },
        ],
    },
    right={"who": "active", "cut": ["inorder", "basically"]},
)
