"""API keys: one's own, and what administrators see of others'."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from shared.access import access
from shared.identity import CurrentUser
from shared.openapi import problems
from shared.schemas.pagination import PageParams, PaginatedResponse
from user_service.api.deps import Administrator, CurrentServices, KeyId, UserId
from user_service.schemas.api_key import ApiKeyCreate, ApiKeyCreated, ApiKeyResponse

router = APIRouter(prefix="/api/users", tags=["API keys"])

# A script can neither make itself further keys nor find out about, or take away, those of others.
OWNERS = access("authenticated", api_keys=False)
ADMINISTRATORS = access("admin", api_keys=False)

IncludeEnded = Annotated[bool, Query(description="Also those that have expired or were revoked")]


@router.post(
    "/me/api-keys",
    summary="Make an API key",
    status_code=status.HTTP_201_CREATED,
    responses=problems(409),
    openapi_extra=access("authenticated", api_keys=False, idempotency=False),  # the answer holds a secret
)
async def create_api_key(
    wanted: ApiKeyCreate, user: CurrentUser, services: CurrentServices, response: Response
) -> ApiKeyCreated:
    """The answer holds the key, this once: only its hash is kept. It does what its scopes and its owner's role allow,
    until it expires or is revoked.
    """
    made = await services.api_keys.create(user.user_id, wanted)
    response.headers["Location"] = f"{router.prefix}/me/api-keys/{made.id}"
    response.headers["Cache-Control"] = "no-store"
    return made


@router.get("/me/api-keys", summary="List one's own API keys", openapi_extra=OWNERS)
async def list_my_api_keys(
    user: CurrentUser, params: PageParams, services: CurrentServices, *, include_ended: IncludeEnded = False
) -> PaginatedResponse[ApiKeyResponse]:
    """The newest first; never with their secrets."""
    return await services.api_keys.search(user.user_id, params, include_ended=include_ended)


@router.get("/me/api-keys/{key_id}", summary="Read one of one's own API keys", openapi_extra=OWNERS)
async def read_my_api_key(key_id: KeyId, user: CurrentUser, services: CurrentServices) -> ApiKeyResponse:
    return await services.api_keys.get(user.user_id, key_id)


@router.delete(
    "/me/api-keys/{key_id}",
    summary="Revoke one of one's own API keys",
    status_code=status.HTTP_204_NO_CONTENT,
    openapi_extra=OWNERS,
)
async def revoke_my_api_key(key_id: KeyId, user: CurrentUser, services: CurrentServices) -> None:
    """It stops working within a second. Revoking it again changes nothing."""
    await services.api_keys.revoke(user.user_id, key_id)


@router.get("/{user_id}/api-keys", summary="List a person's API keys", openapi_extra=ADMINISTRATORS)
async def list_api_keys(
    user_id: UserId,
    _: Administrator,
    params: PageParams,
    services: CurrentServices,
    *,
    include_ended: IncludeEnded = False,
) -> PaginatedResponse[ApiKeyResponse]:
    """The newest first; never with their secrets."""
    return await services.api_keys.search(user_id, params, include_ended=include_ended)


@router.delete(
    "/{user_id}/api-keys/{key_id}",
    summary="Revoke a person's API key",
    status_code=status.HTTP_204_NO_CONTENT,
    openapi_extra=ADMINISTRATORS,
)
async def revoke_api_key(user_id: UserId, key_id: KeyId, _: Administrator, services: CurrentServices) -> None:
    """It stops working within a second. Revoking it again changes nothing."""
    await services.api_keys.revoke(user_id, key_id)
