"""What user-service publishes."""

from typing import ClassVar

from pydantic import Field

from shared.events.envelope import EventData, EventType


class UserRegistered(EventData):
    """A person made an account, or an administrator made one for them."""

    event_type: ClassVar[EventType] = EventType(name="user.registered", version=1, service="user")

    user_id: int = Field(description="Id of the row in `users`", ge=1)
    email: str = Field(description="Address as stored, lower case")
    full_name: str
    role: str = Field(description="student, instructor or admin")

    def subject(self) -> str:
        return f"users/{self.user_id}"
