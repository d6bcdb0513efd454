"""The caller's browsers."""

from fastapi import APIRouter, Response

from notification_service.api.deps import BigId, CurrentServices
from notification_service.schemas.push import (
    PushKeyResponse,
    SubscriptionCreate,
    SubscriptionResponse,
    SubscriptionsResponse,
)
from shared.access import access
from shared.identity import CurrentUser
from shared.openapi import problems

router = APIRouter(prefix="/api/notifications/push", tags=["push notifications"])


@router.get("/key", openapi_extra=access("authenticated"), responses=problems(404))
async def read_push_key(_: CurrentUser, services: CurrentServices) -> PushKeyResponse:
    """The key to subscribe with; 404 where push is switched off."""
    return PushKeyResponse(public_key=services.push.public_key())


@router.post(
    "/subscriptions",
    status_code=201,
    openapi_extra=access("authenticated"),
    responses=problems(404) | {200: {"model": SubscriptionResponse, "description": "Renewed"}},
)
async def subscribe_to_push(
    wanted: SubscriptionCreate, user: CurrentUser, services: CurrentServices, response: Response
) -> SubscriptionResponse:
    """Have your notifications sent to this browser: 201 when it is new, 200 when it was known. The newest 20 stay."""
    stored, is_new = await services.push.subscribe(user.user_id, wanted)
    response.status_code = 201 if is_new else 200
    return SubscriptionResponse.model_validate(stored)


@router.get("/subscriptions", openapi_extra=access("authenticated"))
async def list_push_subscriptions(user: CurrentUser, services: CurrentServices) -> SubscriptionsResponse:
    """Your browsers, newest first."""
    found = await services.push.of(user.user_id)
    return SubscriptionsResponse(items=[SubscriptionResponse.model_validate(each) for each in found])


@router.delete(
    "/subscriptions/{subscription_id}",
    status_code=204,
    openapi_extra=access("authenticated"),
)
async def unsubscribe_from_push(subscription_id: BigId, user: CurrentUser, services: CurrentServices) -> None:
    """Send nothing to this browser any more, not even what was on its way."""
    await services.push.unsubscribe(user.user_id, subscription_id)
