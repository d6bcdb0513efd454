"""How far a student has come: completed ∩ required over required, of what is published now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Required:
    """What a course asks for: the required, published lessons of each module that has any."""

    lessons: Mapping[int, frozenset[int]]

    @property
    def all_lessons(self) -> frozenset[int]:
        """The lessons of all modules."""
        return frozenset().union(*self.lessons.values())


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a student stands against what is required; ids ascend, the percentage is 0 to 100 with two decimals."""

    percentage: Decimal
    completed_modules: list[int]
    completed_lessons: list[int]
    missing_lessons: list[int]
    total_lessons: int
    total_modules: int
    is_complete: bool


def measure(required: Required, completed: Collection[int]) -> Standing:
    """Measure the ids of completed lessons against what is required.

    A lesson that is completed but no longer required counts neither above nor below the line, so the share is never
    more than 100. It is rounded down: 100 means all. A course that requires nothing is at 0 and never complete.
    """
    wanted = required.all_lessons
    done = wanted & set(completed)
    share = Decimal(100 * len(done)) / len(wanted) if wanted else Decimal(0)
    return Standing(
        percentage=share.quantize(HUNDREDTH, ROUND_DOWN),
        completed_modules=sorted(module for module, lessons in required.lessons.items() if lessons <= done),
        completed_lessons=sorted(done),
        missing_lessons=sorted(wanted - done),
        total_lessons=len(wanted),
        total_modules=len(required.lessons),
        is_complete=bool(wanted) and done == wanted,
    )
