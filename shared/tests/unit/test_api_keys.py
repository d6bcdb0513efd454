"""What an API key looks like, and what it may be good for."""

import re

import pytest

from shared.api_keys import ApiKey, Scope, lookup_target, new_api_key, scope_of


def test_a_new_key_is_read_as_itself() -> None:
    text, key = new_api_key()
    assert ApiKey.parse(text) == key
    assert text.startswith(f"sck_{key.public_id}_")


def test_a_key_holds_256_bits_that_no_other_has() -> None:
    texts = {new_api_key()[0] for _ in range(50)}
    secrets = {text.split("_", 2)[2][:-8] for text in texts}
    assert len(secrets) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", secret) for secret in secrets)


def test_a_key_with_any_character_changed_is_none() -> None:
    text, _ = new_api_key()
    for place in range(len(text)):
        other = "0" if text[place] != "0" else "1"
        assert ApiKey.parse(text[:place] + other + text[place + 1 :]) is None


@pytest.mark.parametrize("end", ["", "0", "\n", " "])
def test_a_key_that_is_cut_or_continued_is_none(end: str) -> None:
    text, _ = new_api_key()
    assert ApiKey.parse((text if end else text[:-1]) + end) is None


def test_the_question_about_a_key_does_not_hold_its_secret() -> None:
    text, key = new_api_key()
    assert text.split("_", 2)[2] not in lookup_target(key)
    assert key.digest.hex() not in lookup_target(key).partition("?")[0], "paths are logged"


def test_reading_and_everything_else_are_two_scopes_of_each_service() -> None:
    made = {scope_of(service, method) for service in ("user", "course", "notification") for method in ("GET", "PATCH")}
    assert made == set(Scope)
    assert scope_of("course", "GET") == "course:read"
    assert {scope_of("course", method) for method in ("POST", "PUT", "PATCH", "DELETE")} == {"course:write"}
    with pytest.raises(ValueError, match="billing:read"):
        scope_of("billing", "GET")
