"""What is known about revoked sessions, and how old that is."""

from __future__ import annotations

from api_gateway.middleware.revocation import Revocations


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_session_stays_revoked_until_its_last_token_has_expired() -> None:
    clock = Time()
    revocations = Revocations(clock=clock)
    revocations.add({"sids": "a,b", "until": "1100"})
    revocations.add({"sids": "a", "until": "1050"})
    clock.now = 1060
    revocations.forget_past()
    assert "a" in revocations
    clock.now = 1101
    revocations.forget_past()
    assert len(revocations) == 0


def test_a_marker_revokes_nobody() -> None:
    revocations = Revocations()
    revocations.add({"sids": "", "until": "9999999999"})
    assert len(revocations) == 0
    assert "" not in revocations


def test_an_entry_that_makes_no_sense_is_left_out() -> None:
    revocations = Revocations()
    revocations.add({"sids": "a"})
    revocations.add({"sids": "a", "until": "soon"})
    assert "a" not in revocations


def test_knowledge_ages_from_its_last_confirmation() -> None:
    clock = Time()
    revocations = Revocations(monotonic=clock)
    assert not revocations.is_loaded
    assert revocations.age_seconds == float("inf")
    revocations.confirm()
    clock.now += 3
    assert revocations.is_loaded
    assert revocations.age_seconds == 3
