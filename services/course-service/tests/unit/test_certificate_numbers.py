"""A certificate's number, code and grade."""

from __future__ import annotations

from decimal import Decimal

import pytest

from course_service.core.certificate import (
    ALPHABET,
    CODE,
    certificate_number,
    check_characters,
    grade_of,
    is_certificate_number,
    verification_code,
)

NUMBER = certificate_number(42, year=2026)


def test_the_check_characters_are_those_of_the_standards_own_example() -> None:
    assert check_characters("ISO79") == "3W"


def test_a_number_names_the_year_and_counts_on_beyond_six_digits() -> None:
    assert NUMBER == "SC-2026-000042-8I"
    assert certificate_number(2**31 - 1, year=2026).startswith("SC-2026-2147483647-")
    assert is_certificate_number(NUMBER)
    assert is_certificate_number(certificate_number(2**31 - 1, year=2026))


@pytest.mark.parametrize("index", [3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 15, 16])
def test_one_wrong_character_is_noticed(index: int) -> None:
    for character in ALPHABET.replace(NUMBER[index], ""):
        assert not is_certificate_number(NUMBER[:index] + character + NUMBER[index + 1 :])


def test_two_characters_that_changed_places_are_noticed() -> None:
    number = certificate_number(918273, year=2026)
    for first in range(3, len(number) - 1):
        swapped = number[:first] + number[first + 1] + number[first] + number[first + 2 :]
        assert swapped == number or not is_certificate_number(swapped)


def test_codes_are_144_bits_that_a_url_holds_as_they_are() -> None:
    codes = {verification_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(CODE.fullmatch(code) and len(code) == 24 for code in codes)


@pytest.mark.parametrize(
    ("scores", "grade", "mean"),
    [
        ([], "Pass", None),
        (["100"], "A", "100.00"),
        (["90"], "A", "90.00"),
        (["89.99"], "B", "89.99"),
        (["89.994", "89.996"], "A", "90.00"),
        (["100", "60"], "B", "80.00"),
        (["70", "70", "70"], "C", "70.00"),
        (["69.99"], "Pass", "69.99"),
    ],
)
def test_the_grade_is_of_the_mean(scores: list[str], grade: str, mean: str | None) -> None:
    assert grade_of([Decimal(score) for score in scores]) == (grade, None if mean is None else Decimal(mean))
