"""The caller's own in-app list."""

from typing import Annotated

from fastapi import APIRouter, Query

from notification_service.api.deps import BigId, CurrentServices
from notification_service.schemas.notification import (
    NotificationResponse,
    NotificationUpdate,
    ReadAllResponse,
    UnreadCountResponse,
)
from shared.access import access
from shared.identity import CurrentUser
from shared.schemas.pagination import PageParams, PaginatedResponse

router = APIRouter(prefix="/api/notifications", tags=["notifications"])


@router.get("", openapi_extra=access("authenticated"))
async def list_notifications(
    user: CurrentUser,
    services: CurrentServices,
    params: PageParams,
    unread: Annotated[bool, Query(description="Only those that are unread")] = False,
) -> PaginatedResponse[NotificationResponse]:
    """Your notifications, newest first."""
    page = await services.notifications.page(user.user_id, params, is_unread_only=unread)
    return PaginatedResponse[NotificationResponse].of(page)


@router.get("/unread-count", openapi_extra=access("authenticated"))
async def count_unread_notifications(user: CurrentUser, services: CurrentServices) -> UnreadCountResponse:
    """How many of your notifications are unread."""
    return UnreadCountResponse.model_validate(await services.notifications.count_unread(user.user_id))


@router.patch("/{notification_id}", openapi_extra=access("authenticated"))
async def update_notification(
    notification_id: BigId, change: NotificationUpdate, user: CurrentUser, services: CurrentServices
) -> NotificationResponse:
    """Mark one of your notifications as read or unread."""
    changed = await services.notifications.mark(user.user_id, notification_id, is_read=change.is_read)
    return NotificationResponse.model_validate(changed)


@router.post("/read-all", openapi_extra=access("authenticated"))
async def read_all_notifications(user: CurrentUser, services: CurrentServices) -> ReadAllResponse:
    """Mark all your notifications as read."""
    return ReadAllResponse(marked=await services.notifications.mark_all_read(user.user_id))
