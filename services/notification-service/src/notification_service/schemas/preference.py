"""Which kinds of notification reach a person, and how."""

from typing import Self

from pydantic import Field, StrictBool, model_validator

from notification_service.schemas.delivery import Channel
from notification_service.schemas.notification import NotificationType
from shared.schemas.base import Schema


class PreferenceResponse(Schema):
    """One kind: what is on for the person, defaults included."""

    type: NotificationType
    in_app: bool
    email: bool
    push: bool
    locked: list[Channel] = Field(description="Channels that cannot be switched off for this kind")


class PreferencesResponse(Schema):
    """The whole matrix."""

    channels: list[Channel] = Field(description="Those that this installation can use at present")
    preferences: list[PreferenceResponse]


class PreferenceChange(Schema):
    """Only the channels that are given change."""

    type: NotificationType
    in_app: StrictBool | None = None
    email: StrictBool | None = None
    push: StrictBool | None = None

    def chosen(self) -> dict[Channel, bool]:
        """The channels that are given."""
        given = {Channel.IN_APP: self.in_app, Channel.EMAIL: self.email, Channel.PUSH: self.push}
        return {channel: is_on for channel, is_on in given.items() if is_on is not None}


class PreferencesUpdate(Schema):
    """One kind or many, each at most once."""

    preferences: list[PreferenceChange] = Field(min_length=1, max_length=len(NotificationType))

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if len({change.type for change in self.preferences}) < len(self.preferences):
            raise ValueError("a type is named more than once")
        return self
