"""What routes depend on."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request

from shared.exceptions.base import AuthenticationError
from shared.identity import CurrentUser, Role, UserIdentity, require_roles
from user_service.schemas.user import SearchText, UserFilter, UserRole
from user_service.services.container import Services

MAX_ID = 2**31 - 1
"""The largest id that the database's integer columns hold."""


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _session_id(user: CurrentUser) -> UUID:
    """The session whose access token the gateway verified."""
    try:
        return UUID(user.session_id)
    except (TypeError, ValueError) as error:
        raise AuthenticationError("The request does not say which session it belongs to. Log in again.") from error


async def _wanted_users(
    q: Annotated[SearchText, Query()] = None,
    role: Annotated[UserRole | None, Query()] = None,
    is_active: Annotated[bool | None, Query()] = None,
) -> UserFilter:
    return UserFilter(q=q, role=role, is_active=is_active)


CurrentServices = Annotated[Services, Depends(_services)]
CurrentSessionId = Annotated[UUID, Depends(_session_id)]
Administrator = Annotated[UserIdentity, Depends(require_roles(Role.ADMIN))]
Instructor = Annotated[UserIdentity, Depends(require_roles(Role.INSTRUCTOR))]
UserId = Annotated[int, Path(ge=1, le=MAX_ID)]
KeyId = Annotated[int, Path(ge=1, le=MAX_ID)]
WantedUsers = Annotated[UserFilter, Depends(_wanted_users)]
