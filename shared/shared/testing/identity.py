"""Be the gateway: sign requests to a service under test."""

from collections.abc import Generator

import httpx
from pydantic import SecretStr

from shared.identity import Role, signed_headers
from shared.utils.datetime import Clock, SystemClock


class GatewayAuth(httpx.Auth):
    """Adds the identity headers that the gateway would.

    httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service",
                      auth=GatewayAuth(KEY, user_id=7, role=Role.ADMIN))
    """

    def __init__(
        self,
        key: str | SecretStr,
        *,
        user_id: int | None = None,
        role: Role | str = Role.ANONYMOUS,
        session_id: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._key = key
        self._user_id = user_id
        self._role = role
        self._session_id = session_id
        self._clock = clock or SystemClock()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(
            signed_headers(
                self._key,
                method=request.method,
                target=request.url.raw_path.decode("ascii"),
                user_id=self._user_id,
                role=self._role,
                session_id=self._session_id,
                time=int(self._clock.now().timestamp()),
            )
        )
        yield request
