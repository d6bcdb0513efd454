"""What the caller wants to be told, and how."""

from fastapi import APIRouter

from notification_service.api.deps import CurrentServices
from notification_service.schemas.preference import PreferencesResponse, PreferencesUpdate
from shared.access import access
from shared.identity import CurrentUser

router = APIRouter(prefix="/api/notifications/preferences", tags=["notification preferences"])


@router.get("", openapi_extra=access("authenticated"))
async def read_preferences(user: CurrentUser, services: CurrentServices) -> PreferencesResponse:
    """Each kind of notification and the channels that are on for you, defaults included."""
    return await services.preferences.of(user.user_id)


@router.patch("", openapi_extra=access("authenticated"))
async def update_preferences(
    change: PreferencesUpdate, user: CurrentUser, services: CurrentServices
) -> PreferencesResponse:
    """Switch channels on or off for one kind or many: all of it, or (422) nothing. Answers with the whole matrix."""
    return await services.preferences.change(user.user_id, change.preferences)
