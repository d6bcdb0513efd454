"""Sessions: every login starts a family of refresh tokens, each of which is exchanged once for its successor."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import Database
from shared.exceptions.base import UnavailableError
from shared.utils.datetime import Clock
from user_service.core.errors import RefreshTokenRefused
from user_service.core.publishing import Revocation, RevocationPublisher
from user_service.core.security import InvalidToken, TokenClaims, TokenSigner, TokenType, UnknownSigningKey, token_hash
from user_service.models.session import RefreshToken, RevocationReason, Session
from user_service.models.user import User
from user_service.repositories.session import Ended, SessionRepository
from user_service.repositories.user import UserRepository
from user_service.schemas.auth import TokenResponse

PARALLEL_REFRESH = timedelta(seconds=10)
"""Two requests of one client may present the same token at once: within this time both get the same successor."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long an access token is good, and a session with all of its refresh tokens, counted from the login."""

    access: timedelta
    session: timedelta


@dataclass(frozen=True, slots=True)
class _Stolen:
    """A refresh token was presented that must have been copied; its session has been ended."""

    revocation: Revocation


class SessionService:
    """Starts, continues and ends sessions."""

    def __init__(
        self,
        *,
        database: Database,
        signer: TokenSigner,
        publisher: RevocationPublisher,
        clock: Clock,
        lifetimes: Lifetimes,
    ) -> None:
        self._database = database
        self._signer = signer
        self._publisher = publisher
        self._clock = clock
        self._lifetimes = lifetimes

    async def start(self, transaction: AsyncSession, user: User) -> TokenResponse:
        """Log `user` in. The caller holds a lock on the user's row, so that no deactivation misses this session."""
        sessions = SessionRepository(transaction)
        now = self._clock.now()
        expires_at = _whole_second(now) + self._lifetimes.session
        login = Session(
            sid=uuid4(),
            user_id=user.id,
            created_at=now,
            expires_at=expires_at,
            access_expires_at=min(_whole_second(now) + self._lifetimes.access, expires_at),
        )
        sessions.add(login)
        await sessions.flush()
        _, text = await self._issue(sessions, login, user, now)
        return self._pair(login, user, text, now)

    async def refresh(self, token: str) -> TokenResponse:
        """Exchange a refresh token for its successor and a new access token.

        Presented again within PARALLEL_REFRESH, while its successor is unused, it gives that same successor. Later,
        or once the successor was used, somebody holds a stolen copy (RFC 9700, 4.14.2): the session ends.
        Raises RefreshTokenRefused.
        """
        now = self._clock.now()
        try:
            claims = self._signer.verify_refresh(token, now)
        except InvalidToken as error:
            raise RefreshTokenRefused(str(error)) from error
        async with self._database.begin() as transaction:
            outcome = await self._exchange(transaction, claims, token_hash(token), now)
        # After the commit: a theft that was found must stay found.
        if isinstance(outcome, _Stolen):
            await self.announce(outcome.revocation)
            raise RefreshTokenRefused("presented again after its successor")
        if isinstance(outcome, RefreshTokenRefused):
            _log.info("refresh_token_refused", reason=outcome.reason, sid=str(claims.sid))
            raise outcome
        return outcome

    async def end(self, *, sid: UUID, user_id: int) -> None:
        """Log out. Ending a session that has ended already changes nothing."""
        async with self._database.begin() as transaction:
            ended = await self._end_one(transaction, sid, user_id=user_id, reason=RevocationReason.LOGOUT)
        await self.announce(ended)

    async def end_all(
        self, transaction: AsyncSession, user_id: int, *, reason: RevocationReason, spared: UUID | None = None
    ) -> Revocation:
        """End a person's live sessions, but `spared`, as one revocation; `announce` it after the commit.

        The caller holds an exclusive lock on the user's row, so that no login slips past.
        """
        now = self._clock.now()
        ended = await SessionRepository(transaction).revoke_all(user_id, reason=reason, at=now, spared=spared)
        return await self._recorded(transaction, ended, now)

    async def announce(self, revocation: Revocation) -> None:
        """Tell the gateways now what the outbox will tell them for certain."""
        if revocation.sids:
            await self._publisher.announce(revocation)

    async def _end_one(
        self, transaction: AsyncSession, sid: UUID, *, user_id: int, reason: RevocationReason
    ) -> Revocation:
        now = self._clock.now()
        ended = await SessionRepository(transaction).revoke(sid, user_id=user_id, reason=reason, at=now)
        return await self._recorded(transaction, ended, now)

    async def _recorded(self, transaction: AsyncSession, ended: Sequence[Ended], now: datetime) -> Revocation:
        until = max((each.until for each in ended), default=now)
        revocation = Revocation(tuple(str(each.sid) for each in ended), until)
        if revocation.sids:
            await self._publisher.sessions_revoked(transaction, revocation)
        return revocation

    async def _exchange(
        self, transaction: AsyncSession, claims: TokenClaims, presented_hash: bytes, now: datetime
    ) -> TokenResponse | RefreshTokenRefused | _Stolen:
        sessions = SessionRepository(transaction)
        login = await sessions.find_for_update(claims.sid)
        if login is None or login.revoked_at is not None or login.expires_at <= now:
            return RefreshTokenRefused("session unknown, ended or expired")
        presented = await sessions.find_token(claims.jti)
        if presented is None or presented.sid != login.sid or presented.token_hash != presented_hash:
            return RefreshTokenRefused("never issued")
        user = await UserRepository(transaction).get(login.user_id)
        if not user.is_active:
            return RefreshTokenRefused("account deactivated")
        if presented.used_at is None:
            successor, text = await self._issue(sessions, login, user, now)
            presented.used_at, presented.successor_jti = now, successor.jti
            return self._pair(login, user, text, now)
        again = await self._successor_again(sessions, login, presented, now)
        if again is None:
            _log.warning("refresh_token_reused", user_id=login.user_id, sid=str(login.sid))
            return _Stolen(
                await self._end_one(
                    transaction, login.sid, user_id=login.user_id, reason=RevocationReason.REFRESH_REUSE
                )
            )
        return self._pair(login, user, again, now)

    async def _successor_again(
        self, sessions: SessionRepository, login: Session, presented: RefreshToken, now: datetime
    ) -> str | None:
        """The successor of a used token, signed anew to the same text; None if it must not be given out again."""
        if presented.used_at is None or presented.successor_jti is None or now - presented.used_at > PARALLEL_REFRESH:
            return None
        successor = await sessions.find_token(presented.successor_jti)
        if successor is None or successor.used_at is not None:
            return None
        try:
            return self._signer.sign(TokenType.REFRESH, _refresh_claims(login, successor), kid=successor.kid)
        except UnknownSigningKey as error:
            # The keys are being rotated and another replica has the newer one already.
            raise UnavailableError("The signing keys are being rotated. Try again.", retry_after_seconds=1) from error

    async def _issue(
        self, sessions: SessionRepository, login: Session, user: User, now: datetime
    ) -> tuple[RefreshToken, str]:
        token = RefreshToken(
            jti=uuid4(), sid=login.sid, kid=self._signer.current_kid, role=user.role, issued_at=_whole_second(now)
        )
        text = self._signer.sign(TokenType.REFRESH, _refresh_claims(login, token))
        token.token_hash = token_hash(text)
        sessions.add_token(token)
        await sessions.flush()
        return token, text

    def _pair(self, login: Session, user: User, refresh_token: str, now: datetime) -> TokenResponse:
        """Both tokens, and the note on `login` of how long the access token is good: longer than the next one, if the
        lifetime is lowered meanwhile."""
        issued_at = _whole_second(now)
        expires_at = min(issued_at + self._lifetimes.access, login.expires_at)
        login.access_expires_at = max(login.access_expires_at or expires_at, expires_at)
        claims = TokenClaims(
            user_id=user.id,
            role=user.role,
            sid=login.sid,
            jti=uuid4(),
            issued_at=issued_at,
            expires_at=expires_at,
        )
        return TokenResponse(
            access_token=self._signer.sign(TokenType.ACCESS, claims),
            refresh_token=refresh_token,
            expires_in=int((claims.expires_at - claims.issued_at).total_seconds()),
        )


def _refresh_claims(login: Session, token: RefreshToken) -> TokenClaims:
    return TokenClaims(
        user_id=login.user_id,
        role=token.role,
        sid=login.sid,
        jti=token.jti,
        issued_at=token.issued_at,
        expires_at=login.expires_at,
    )


def _whole_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)
