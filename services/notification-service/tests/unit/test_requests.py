"""Bodies mean what they say, and an endpoint is a URL."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from notification_service.schemas.notification import NotificationUpdate
from notification_service.schemas.preference import PreferenceChange
from notification_service.schemas.push import SubscriptionCreate

BROWSER = {
    "endpoint": "https://push.example.org/a-browser?id=%5B1%5D",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}


def test_a_browsers_subscription_is_taken() -> None:
    assert SubscriptionCreate.model_validate(BROWSER | {"expirationTime": 1_900_000_000_000}).expiration_time


@pytest.mark.parametrize(
    ("model", "document", "field"),
    [
        (NotificationUpdate, {"is_read": 0}, "is_read"),
        (PreferenceChange, {"type": "welcome", "in_app": 0}, "in_app"),
        (PreferenceChange, {"type": "welcome", "email": "on"}, "email"),
        (PreferenceChange, {"type": "welcome", "push": 1}, "push"),
        (SubscriptionCreate, BROWSER | {"endpoint": "https://^K<e"}, "endpoint"),
        (SubscriptionCreate, BROWSER | {"endpoint": "https://push.example.org/a browser"}, "endpoint"),
        (SubscriptionCreate, BROWSER | {"expirationTime": "1900000000000"}, "expirationTime"),
        (SubscriptionCreate, BROWSER | {"expirationTime": True}, "expirationTime"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_name(
    model: type[BaseModel], document: dict[str, Any], field: str
) -> None:
    with pytest.raises(ValidationError) as refusal:
        model.model_validate(document)
    assert [error["loc"][0] for error in refusal.value.errors()] == [field]
