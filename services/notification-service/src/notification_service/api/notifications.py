"""The caller's own in-app list."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from notification_service.api.deps import Notifications
from notification_service.schemas.notification import NotificationResponse, NotificationUpdate, ReadAllResponse
from shared.access import access
from shared.identity import CurrentUser
from shared.schemas.base import Problem
from shared.schemas.pagination import PageParams, PaginatedResponse

LARGEST_ID = 2**63 - 1

router = APIRouter(prefix="/api/notifications", tags=["notifications"])

NotificationId = Annotated[int, Path(ge=1, le=LARGEST_ID)]


@router.get("", openapi_extra=access("authenticated"))
async def list_notifications(
    user: CurrentUser,
    notifications: Notifications,
    params: PageParams,
    unread: Annotated[bool, Query(description="Only those that are unread")] = False,
) -> PaginatedResponse[NotificationResponse]:
    """Your notifications, newest first."""
    page = await notifications.page(user.user_id, params, is_unread_only=unread)
    return PaginatedResponse[NotificationResponse].of(page)


@router.patch("/{notification_id}", openapi_extra=access("authenticated"), responses={404: {"model": Problem}})
async def update_notification(
    notification_id: NotificationId, change: NotificationUpdate, user: CurrentUser, notifications: Notifications
) -> NotificationResponse:
    """Mark one of your notifications as read or unread."""
    changed = await notifications.mark(user.user_id, notification_id, is_read=change.is_read)
    return NotificationResponse.model_validate(changed)


@router.post("/read-all", openapi_extra=access("authenticated"))
async def read_all_notifications(user: CurrentUser, notifications: Notifications) -> ReadAllResponse:
    """Mark all your notifications as read."""
    return ReadAllResponse(marked=await notifications.mark_all_read(user.user_id))
