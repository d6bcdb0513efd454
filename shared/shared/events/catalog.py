"""Every event that one service publishes and another may consume. A new payload class is added here."""

from shared.events.envelope import EventData
from shared.events.user import UserRegistered

EVENTS: tuple[type[EventData], ...] = (UserRegistered,)
