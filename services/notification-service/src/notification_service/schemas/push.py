"""Web Push subscriptions, as browsers make them (`PushSubscription.toJSON()`)."""

from base64 import urlsafe_b64decode
from binascii import Error as NotBase64Error
from datetime import datetime
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from shared.schemas.base import Schema

MAXIMUM_ENDPOINT_LENGTH = 2048
URL = r"^https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+$"
"""Only characters that a URL may have (RFC 3986)."""
AUTH_BYTES = 16
LATEST_EXPIRATION_MS = 253_402_300_799_000
"""The end of the year 9999."""


def _decoded(value: str) -> bytes:
    try:
        return urlsafe_b64decode(value + "=" * (-len(value) % 4))
    except (NotBase64Error, ValueError):
        raise ValueError("must be base64url") from None


def _is_public_key(value: str) -> str:
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), _decoded(value))
    except ValueError:
        raise ValueError("must be a point of P-256, uncompressed, in base64url") from None
    return value


def _is_auth_secret(value: str) -> str:
    if len(_decoded(value)) != AUTH_BYTES:
        raise ValueError(f"must be {AUTH_BYTES} bytes in base64url")
    return value


class SubscriptionKeys(Schema):
    """What payloads are encrypted for (RFC 8291)."""

    p256dh: Annotated[str, Field(max_length=100, pattern=r"^[\w-]+=*$"), AfterValidator(_is_public_key)]
    auth: Annotated[str, Field(max_length=30, pattern=r"^[\w-]+=*$"), AfterValidator(_is_auth_secret)]


class SubscriptionCreate(Schema):
    """A subscription; the endpoint identifies it."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    endpoint: Annotated[
        str,
        StringConstraints(max_length=MAXIMUM_ENDPOINT_LENGTH, pattern=URL),
        Field(description="Address of the browser's push service", json_schema_extra={"format": "uri"}),
    ]
    keys: SubscriptionKeys
    expiration_time: Annotated[
        float | None,
        Field(strict=True, description="Unix milliseconds", gt=0, le=LATEST_EXPIRATION_MS, allow_inf_nan=False),
    ] = None


class SubscriptionResponse(Schema):
    """A subscription of the caller. Its keys are not told."""

    id: int
    endpoint: str
    expires_at: datetime | None
    created_at: datetime


class SubscriptionsResponse(Schema):
    """All of the caller's, newest first."""

    items: list[SubscriptionResponse]


class PushKeyResponse(Schema):
    """What a browser's `pushManager.subscribe` takes as `applicationServerKey`."""

    public_key: str = Field(description="The VAPID key: a point of P-256, uncompressed, in base64url")
