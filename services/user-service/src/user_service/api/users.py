"""Accounts: one's own name, and what administrators see and change."""

from fastapi import APIRouter

from shared.access import access
from shared.identity import CurrentUser
from shared.openapi import problems
from shared.schemas.pagination import PageParams, PaginatedResponse
from user_service.api.deps import Administrator, CurrentServices, UserId, WantedUsers
from user_service.schemas.user import ProfileUpdate, UserResponse, UserUpdate

router = APIRouter(prefix="/api/users", tags=["Users"])


@router.patch(
    "/me",
    summary="Change one's own name",
    openapi_extra=access("authenticated"),
)
async def update_me(change: ProfileUpdate, user: CurrentUser, services: CurrentServices) -> UserResponse:
    return await services.users.update_me(user.user_id, change)


@router.get(
    "",
    summary="List and search accounts",
    openapi_extra=access("admin"),
)
async def list_users(
    _: Administrator, wanted: WantedUsers, params: PageParams, services: CurrentServices
) -> PaginatedResponse[UserResponse]:
    """Oldest first."""
    return await services.users.search(wanted, params)


@router.get(
    "/{user_id}",
    summary="Read an account",
    openapi_extra=access("admin"),
)
async def read_user(user_id: UserId, _: Administrator, services: CurrentServices) -> UserResponse:
    return await services.users.get(user_id)


@router.patch(
    "/{user_id}",
    summary="Change an account's role, or deactivate it",
    responses=problems(409),
    openapi_extra=access("admin", api_keys=False),
)
async def update_user(user_id: UserId, change: UserUpdate, _: Administrator, services: CurrentServices) -> UserResponse:
    """A changed role and a deactivation end all sessions of the person. The last active administrator stays one."""
    return await services.users.update(user_id, change)


@router.post(
    "/{user_id}/anonymise",
    summary="Forget who somebody is",
    responses=problems(409),
    openapi_extra=access("admin", api_keys=False),
)
async def anonymise_user(user_id: UserId, _: Administrator, services: CurrentServices) -> UserResponse:
    """Replaces name and address, removes the profile and closes the account for good. Accounts are never deleted:
    courses and certificates refer to them.
    """
    return await services.users.anonymise(user_id)
