"""What user-service publishes."""

from typing import ClassVar

from pydantic import Field

from shared.events.envelope import EventData, EventType


class UserEvent(EventData):
    """What all events of accounts say; personal data travels only where a consumer cannot do without it."""

    user_id: int = Field(description="Id of the row in `users`", ge=1)

    def subject(self) -> str:
        return f"users/{self.user_id}"


class UserRegistered(UserEvent):
    """A person made an account, or an administrator made one for them."""

    event_type: ClassVar[EventType] = EventType(name="user.registered", version=1, service="user")

    email: str = Field(description="Address as stored, lower case")
    full_name: str
    role: str = Field(description="student, instructor or admin")


class UserRoleChanged(UserEvent):
    """An administrator gave an account another role; its sessions have ended."""

    event_type: ClassVar[EventType] = EventType(name="user.role_changed", version=1, service="user")

    role: str = Field(description="student, instructor or admin")
    previous_role: str


class UserDeactivated(UserEvent):
    """An account was closed; nobody can log in to it."""

    event_type: ClassVar[EventType] = EventType(name="user.deactivated", version=1, service="user")


class UserReactivated(UserEvent):
    """A closed account was opened again."""

    event_type: ClassVar[EventType] = EventType(name="user.reactivated", version=1, service="user")


class UserAnonymised(UserEvent):
    """A person was forgotten; whoever keeps something about them forgets it too."""

    event_type: ClassVar[EventType] = EventType(name="user.anonymised", version=1, service="user")
