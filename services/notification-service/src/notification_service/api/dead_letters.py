"""What was given up: events that could not be handled, and deliveries that did not get through."""

from uuid import UUID

from fastapi import APIRouter

from notification_service.api.deps import Administrator, BigId, CurrentServices
from notification_service.schemas.delivery import DeadDeliveryResponse, DeadEventResponse, ReplayResponse
from shared.access import access
from shared.openapi import problems
from shared.schemas.pagination import PageParams, PaginatedResponse

router = APIRouter(prefix="/api/notifications/dead-letters", tags=["dead letters"])


@router.get("/events", openapi_extra=access("admin"))
async def list_dead_events(
    _: Administrator, services: CurrentServices, params: PageParams
) -> PaginatedResponse[DeadEventResponse]:
    """Events that could not be handled, newest first."""
    return PaginatedResponse[DeadEventResponse].of(await services.dead_events.page(params))


@router.post(
    "/events/{letter_id}/replay",
    openapi_extra=access("admin"),
    responses=problems(409),
)
async def replay_dead_event(letter_id: BigId, _: Administrator, services: CurrentServices) -> ReplayResponse:
    """Handle it now; 409 if it fails again."""
    return ReplayResponse(outcome=await services.dead_events.replay(letter_id))


@router.delete("/events/{letter_id}", status_code=204, openapi_extra=access("admin"))
async def discard_dead_event(letter_id: BigId, _: Administrator, services: CurrentServices) -> None:
    """Never handle it."""
    await services.dead_events.discard(letter_id)


@router.get("/deliveries", openapi_extra=access("admin"))
async def list_dead_deliveries(
    _: Administrator, services: CurrentServices, params: PageParams
) -> PaginatedResponse[DeadDeliveryResponse]:
    """Mails and pushes that were given up, the last first."""
    return PaginatedResponse[DeadDeliveryResponse].of(await services.dead_deliveries.page(params))


@router.post(
    "/deliveries/{delivery_id}/replay",
    status_code=202,
    openapi_extra=access("admin"),
)
async def replay_dead_delivery(delivery_id: UUID, _: Administrator, services: CurrentServices) -> ReplayResponse:
    """Have it attempted again, soon."""
    await services.dead_deliveries.replay(delivery_id)
    return ReplayResponse(outcome="pending")


@router.delete("/deliveries/{delivery_id}", status_code=204, openapi_extra=access("admin"))
async def discard_dead_delivery(delivery_id: UUID, _: Administrator, services: CurrentServices) -> None:
    """Never attempt it again; it stays in the person's list."""
    await services.dead_deliveries.discard(delivery_id)
