"""Time, passwords, addresses: the small types that everything else is made of."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr, TypeAdapter, ValidationError

from shared.access import access, reads_token
from shared.utils.datetime import FixedClock, SystemClock, utc_now
from shared.utils.hashing import hash_password, verify_password
from shared.utils.validators import Email, NonBlank, Password

email: TypeAdapter[str] = TypeAdapter(Email)
password: TypeAdapter[SecretStr] = TypeAdapter(Password)
non_blank: TypeAdapter[str] = TypeAdapter(NonBlank)


def test_time_is_aware_utc() -> None:
    assert utc_now().tzinfo is UTC
    assert abs(SystemClock().now() - utc_now()) < timedelta(seconds=5)


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(timedelta(minutes=1), seconds=5)
    assert clock.now() == clock.now() == datetime(2026, 1, 1, 0, 1, 5, tzinfo=UTC)
    clock.set(datetime(2027, 1, 1, tzinfo=UTC))
    assert clock.now().year == 2027


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        FixedClock(datetime(2026, 1, 1))  # noqa: DTZ001 - what is tested


async def test_a_hash_verifies_its_own_password_only() -> None:
    hashed = await hash_password(SecretStr("correct horse"), rounds=4)
    assert await verify_password("correct horse", hashed)
    assert not await verify_password("correct hors", hashed)


async def test_two_hashes_of_one_password_differ() -> None:
    assert await hash_password("same password", rounds=4) != await hash_password("same password", rounds=4)


async def test_a_password_over_72_bytes_is_never_cut() -> None:
    hashed = await hash_password("a" * 72, rounds=4)
    assert await verify_password("a" * 72, hashed)
    assert not await verify_password("a" * 73, hashed)
    with pytest.raises(ValueError, match="72"):
        await hash_password("a" * 73)


async def test_nobody_is_verified_without_a_good_hash() -> None:
    assert not await verify_password("anything", None)
    assert not await verify_password("anything", "!unusable")
    assert not await verify_password("lone surrogate \ud800", None)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (" Ada@Example.COM ", "ada@example.com"),
        ("o'neill+x@sub.example.org", "o'neill+x@sub.example.org"),
        ("instructor1@demo.smartcourse.example", "instructor1@demo.smartcourse.example"),
    ],
)
def test_an_email_address_is_brought_to_one_form(given: str, kept: str) -> None:
    assert email.validate_python(given) == kept


@pytest.mark.parametrize(
    "given", ["", "ada", "ada@", "@example.com", "a b@example.com", "Ada <ada@example.com>", "a@b@c.org",
              "ada@example.com\nbcc: x@y.z", "x" * 250 + "@example.com", "ädä@example.com"]
)  # fmt: skip
def test_what_is_no_email_address_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        email.validate_python(given)


@pytest.mark.parametrize("given", ["12345678", "ä" * 36, "x" * 72])
def test_a_password_has_8_to_72_bytes(given: str) -> None:
    assert password.validate_python(given).get_secret_value() == given


@pytest.mark.parametrize("given", ["1234567", "x" * 73, "ä" * 37, "nul\x00inside"])
def test_any_other_password_is_refused_without_being_repeated(given: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        password.validate_python(given)
    assert given not in str(refusal.value.errors(include_input=False))


def test_text_is_stripped_and_not_blank() -> None:
    assert non_blank.validate_python("  x ") == "x"
    for blank in ("", "  \n", "a\x00b"):
        with pytest.raises(ValidationError):
            non_blank.validate_python(blank)


def test_access_becomes_the_openapi_extension() -> None:
    assert access("student", "admin") == {"x-smartcourse-access": {"allow": ["student", "admin"], "rate": "default"}}
    assert access("public", rate="login")["x-smartcourse-access"]["rate"] == "login"
    assert access("admin", api_keys=False)["x-smartcourse-access"]["apiKeys"] is False
    assert access("admin", stream="sse")["x-smartcourse-access"]["stream"] == "sse"


def test_who_calls_matters_but_where_anybody_may_and_the_body_tells() -> None:
    assert reads_token("GET", ["public"])
    assert reads_token("POST", ["authenticated"])
    assert not reads_token("POST", ["public"])


def test_access_that_means_nothing_is_refused() -> None:
    for arguments in ((), ("root",), ("public", "admin"), ("authenticated", "student")):
        with pytest.raises(ValueError, match="access"):
            access(*arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rate"):
        access("public", rate="unlimited")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="stream"):
        access("public", stream="river")  # type: ignore[arg-type]
