"""Types of values that come from outside. They check, and bring to one form."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from shared.utils.hashing import MAXIMUM_BYTES

MINIMUM_PASSWORD_CHARACTERS = 8


def _normal_email(value: str) -> str:
    from email_validator import EmailNotValidError, validate_email  # only who accepts addresses installs it

    try:
        address = validate_email(value.strip(), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError(f"not an email address: {error}") from None
    return address.normalized.lower()


def _good_password(value: SecretStr) -> SecretStr:
    password = value.get_secret_value()
    if len(password) < MINIMUM_PASSWORD_CHARACTERS or len(password.encode()) > MAXIMUM_BYTES:
        raise ValueError(
            f"must have at least {MINIMUM_PASSWORD_CHARACTERS} characters and at most {MAXIMUM_BYTES} bytes in UTF-8"
        )
    if "\x00" in password:
        raise ValueError("must not contain the character NUL")
    return value


Email = Annotated[str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(_normal_email)]
"""An email address (ASCII), lower-cased."""

Password = Annotated[
    SecretStr,
    AfterValidator(_good_password),
    Field(json_schema_extra={"minLength": MINIMUM_PASSWORD_CHARACTERS, "maxLength": MAXIMUM_BYTES}),
]
"""A new password: at least 8 characters, and at most 72 bytes of UTF-8, for bcrypt reads no further."""

NonBlank = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00]*$")]
"""Text that is more than white space; PostgreSQL cannot store NUL."""
