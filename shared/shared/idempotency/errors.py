"""What a client is told about its key."""

from shared.exceptions.base import BadRequestError, ConflictError, UnprocessableError

RETRY_AFTER_SECONDS = 5


class KeyInvalidError(BadRequestError):
    """The header is no key."""

    slug = "idempotency-key-invalid"
    title = "The Idempotency-Key is not valid"

    def __init__(self) -> None:
        super().__init__(
            "The header Idempotency-Key holds one key of 1 to 255 visible ASCII characters, such as a UUID, or that "
            'in double quotes: "8e03978e-40d5-43dd-bc93-6894a57f9324".'
        )


class KeyReusedError(UnprocessableError):
    """The key belongs to another request."""

    slug = "idempotency-key-reused"
    title = "The Idempotency-Key was used for another request"

    def __init__(self) -> None:
        super().__init__(
            "An earlier request to this address had the same Idempotency-Key and another body or Content-Type. "
            "Repeat that request byte for byte, or send this one with a key of its own."
        )


class RequestInProgressError(ConflictError):
    """The first request with the key has no answer yet."""

    slug = "idempotency-in-progress"
    title = "The request with this Idempotency-Key is still being carried out"

    def __init__(self) -> None:
        super().__init__(
            f"Repeat it in {RETRY_AFTER_SECONDS} s to get its answer.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )


class OutcomeUnknownError(ConflictError):
    """The request was carried out, and its answer is gone."""

    slug = "idempotency-outcome-unknown"
    title = "The request was carried out, but its answer is lost"

    def __init__(self) -> None:
        super().__init__(
            "It took effect and is not carried out again. Its answer was lost before it could be kept, or was too "
            "large for that: read the resource to see the outcome."
        )


class OwnershipLostError(ConflictError):
    """This request took so long that it counted as dead, and a repeat was begun in its place."""

    slug = "idempotency-superseded"
    title = "A repeat of this request is carried out in its place"

    def __init__(self) -> None:
        super().__init__(
            "Nothing of this one took effect. Repeat it to get the answer of the other.",
            headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        )
