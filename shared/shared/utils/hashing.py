"""Password hashes: bcrypt, in threads of its own so that nothing else waits for it."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import bcrypt
from pydantic import SecretStr

ROUNDS = 12
MAXIMUM_BYTES = 72
"""bcrypt reads no further."""

_threads = ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="bcrypt")


async def hash_password(password: str | SecretStr, *, rounds: int = ROUNDS) -> str:
    """Hash ``password``. Raises ValueError if it is longer than 72 bytes: it is never cut."""
    text = _bytes(password)
    if len(text) > MAXIMUM_BYTES:
        raise ValueError(f"a password of more than {MAXIMUM_BYTES} bytes cannot be hashed")
    return await asyncio.get_running_loop().run_in_executor(_threads, _hash, text, rounds)


async def verify_password(password: str | SecretStr, hashed: str | None) -> bool:
    """Whether ``password`` is the one that was hashed.

    Without a hash (there is no such account) it is False after the same amount of work, so that the time taken does
    not tell who has an account.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, _verify, _bytes(password), hashed)


def _bytes(password: str | SecretStr) -> bytes:
    text = password.get_secret_value() if isinstance(password, SecretStr) else password
    return text.encode("utf-8", "surrogatepass")  # JSON can hold half a character: it is wrong, not an error of ours


def _hash(password: bytes, rounds: int) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(rounds)).decode()


def _verify(password: bytes, hashed: str | None) -> bool:
    try:
        matches = bcrypt.checkpw(password[:MAXIMUM_BYTES], (hashed or _hash_of_nothing()).encode())
    except ValueError:  # what is stored is no bcrypt hash: an account that nobody can log in to
        bcrypt.checkpw(password[:MAXIMUM_BYTES], _hash_of_nothing().encode())
        return False
    return matches and hashed is not None and len(password) <= MAXIMUM_BYTES


@cache
def _hash_of_nothing() -> str:
    return _hash(os.urandom(MAXIMUM_BYTES // 2), ROUNDS)
