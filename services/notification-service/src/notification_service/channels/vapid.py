"""The key with which this installation introduces itself to push services (VAPID, RFC 8292)."""

import base64

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from py_vapid import Vapid02
from pydantic import SecretStr

RAW_BYTES = 32


class VapidKey:
    """The installation's key pair on P-256; ``public_key`` is the uncompressed point in base64url."""

    def __init__(self, private_key: SecretStr) -> None:
        """``private_key``: 32 raw bytes in base64url, or PEM. Raises ValueError without quoting it."""
        try:
            key = _read(private_key.get_secret_value().strip())
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise ValueError("must be 32 bytes in base64url or PEM, a private key on P-256") from None
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.public_key = base64.urlsafe_b64encode(point).rstrip(b"=").decode()
        self._vapid = Vapid02(key)

    def authorization(self, *, audience: str, subject: str, expires_at: int) -> str:
        """The header's value; ``expires_at`` in Unix seconds."""
        signed: dict[str, str] = self._vapid.sign({"aud": audience, "sub": subject, "exp": expires_at})
        return signed["Authorization"]


def _read(text: str) -> EllipticCurvePrivateKey:
    if "-----" in text:
        key = load_pem_private_key(text.encode(), password=None)
    else:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        if len(raw) != RAW_BYTES:
            raise ValueError("another length")
        key = derive_private_key(int.from_bytes(raw, "big"), SECP256R1())
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise TypeError("another kind of key")
    return key
