"""The tokens' key is replaced: both are good for a time, then the old one is not, at every door."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator

import pytest
from real_gateway import DOORS, Gateway, eventually, running

from shared.testing.servers import RedisServer


@pytest.fixture
def gateway(redis_server: RedisServer) -> Iterator[Gateway]:
    with running(redis_server.url) as gateway:
        yield gateway


def restart(gateway: Gateway, *, current: str, previous: str) -> None:
    """What a rollout does: a process reads its keys when it starts."""
    gateway.stop("decision")
    gateway.extra |= {"JWT_SECRET_KEY": current, "JWT_SECRET_KEY_PREVIOUS": previous}
    gateway.start_decision()
    eventually(gateway.is_ready, what="readiness")


def statuses(gateway: Gateway, *keys: str) -> set[tuple[int, ...]]:
    """What a token of each key is answered, by door; one item if the doors agree."""
    tokens = [gateway.token(key=key, headers={"kid": hashlib.sha256(key.encode()).hexdigest()[:8]}) for key in keys]
    asking = [{"Authorization": f"Bearer {token}"} for token in tokens]
    doors = [gateway.behind(door).client for door in DOORS]
    return {tuple(door.get("/api/me", headers=headers).status_code for headers in asking) for door in doors}


def test_both_keys_are_good_during_a_rotation_and_the_old_one_is_not_afterwards(gateway: Gateway) -> None:
    old, new = gateway.jwt_key, secrets.token_hex(32)
    assert statuses(gateway, old, new) == {(200, 401)}
    restart(gateway, current=old, previous=new)  # introduced
    assert statuses(gateway, old, new) == {(200, 200)}
    restart(gateway, current=new, previous=old)  # promoted
    assert statuses(gateway, old, new) == {(200, 200)}
    restart(gateway, current=new, previous="")
    assert statuses(gateway, old, new) == {(401, 200)}
