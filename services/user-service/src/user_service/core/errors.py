"""What can be refused, with the facts of each case."""

from typing import Final

from shared.exceptions.base import AuthenticationError, ConflictError, NotFoundError, RateLimitedError


class UserNotFound(NotFoundError):  # noqa: N818 - named for what happened
    slug = "user-not-found"
    title = "No such user"

    def __init__(self, user_id: int) -> None:
        super().__init__(f"There is no user {user_id}.")
        self.user_id: Final = user_id


class InstructorNotFound(NotFoundError):  # noqa: N818
    slug = "instructor-not-found"
    title = "No such instructor"

    def __init__(self, user_id: int) -> None:
        super().__init__(f"User {user_id} is not an active instructor.")
        self.user_id: Final = user_id


class EmailTaken(ConflictError):  # noqa: N818
    """The address is not repeated in the answer or a log: it is a personal datum."""

    slug = "email-taken"
    title = "Email address taken"

    def __init__(self) -> None:
        super().__init__("An account with this email address exists. Log in, or register with another address.")


class LastAdministrator(ConflictError):  # noqa: N818
    slug = "last-administrator"
    title = "Last administrator"

    def __init__(self, user_id: int) -> None:
        super().__init__(
            f"User {user_id} is the only active administrator. Make somebody else one first, or nobody could."
        )
        self.user_id: Final = user_id


class AccountAnonymised(ConflictError):  # noqa: N818
    slug = "account-anonymised"
    title = "Anonymised account"

    def __init__(self, user_id: int) -> None:
        super().__init__(f"The account of user {user_id} was anonymised and cannot be used or changed any more.")
        self.user_id: Final = user_id


class ApiKeyNotFound(NotFoundError):  # noqa: N818
    slug = "api-key-not-found"
    title = "No such API key"

    def __init__(self, key_id: int | str) -> None:
        super().__init__(f"There is no API key {key_id}, or not for this person.")
        self.key_id: Final = key_id


class TooManyApiKeys(ConflictError):  # noqa: N818
    slug = "too-many-api-keys"
    title = "Too many API keys"

    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} API keys that work, and may have no more. Revoke one that is not needed.")
        self.limit: Final = limit


class InvalidCredentials(AuthenticationError):  # noqa: N818
    """One answer for an unknown address and for a wrong password."""

    slug = "invalid-credentials"
    title = "Invalid email or password"

    def __init__(self) -> None:
        super().__init__("The email address or the password is wrong.")


class AccountDeactivated(AuthenticationError):  # noqa: N818
    """Told only to those who know the password, or who hold a token of the account."""

    slug = "account-deactivated"
    title = "Account deactivated"

    def __init__(self, user_id: int) -> None:
        super().__init__("This account is deactivated. Ask an administrator to activate it.")
        self.user_id: Final = user_id


class RefreshTokenRefused(AuthenticationError):  # noqa: N818
    """One answer for every reason; the reason is for the log."""

    slug = "invalid-refresh-token"
    title = "Invalid refresh token"

    def __init__(self, reason: str) -> None:
        super().__init__("The refresh token is invalid, expired, revoked or was used before. Log in again.")
        self.reason: Final = reason


class TooManyAttempts(RateLimitedError):  # noqa: N818
    """The account's failures, whoever made them and whether or not there is such an account."""

    slug = "too-many-login-attempts"
    title = "Too many failed attempts"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            f"Too many failed attempts for this account. Try again in {retry_after_seconds} s.",
            retry_after_seconds=retry_after_seconds,
        )
