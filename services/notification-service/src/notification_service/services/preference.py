"""What people want to be told, and how."""

from collections.abc import Sequence

from notification_service.core.errors import ChannelLockedError
from notification_service.core.kinds import KINDS
from notification_service.repositories.preference import Choices, PreferenceRepository
from notification_service.schemas.delivery import Channel
from notification_service.schemas.notification import NotificationType
from notification_service.schemas.preference import PreferenceChange, PreferenceResponse, PreferencesResponse
from shared.database import Database


class PreferenceService:
    """A person's matrix of kinds and channels. ``channels`` are those that this installation can use."""

    def __init__(self, database: Database, channels: frozenset[Channel]) -> None:
        self._database = database
        self._channels = [each for each in Channel if each in channels]
        self._preferences = PreferenceRepository()

    async def of(self, user_id: int) -> PreferencesResponse:
        """The whole matrix, defaults included."""
        async with self._database.read() as session:
            return self._matrix(await self._preferences.of(session, user_id=user_id))

    async def change(self, user_id: int, changes: Sequence[PreferenceChange]) -> PreferencesResponse:
        """All of the changes, or none; the whole matrix afterwards.

        Raises:
            ChannelLockedError: one of them switches off what cannot be.
        """
        choices: Choices = {
            (change.type, channel): is_on for change in changes for channel, is_on in change.chosen().items()
        }
        for (kind, channel), is_on in choices.items():
            if not is_on and channel in KINDS[kind].locked:
                raise ChannelLockedError(kind, channel)
        async with self._database.begin() as session:
            if choices:
                await self._preferences.put(session, user_id=user_id, choices=choices)
            return self._matrix(await self._preferences.of(session, user_id=user_id))

    def _matrix(self, choices: Choices) -> PreferencesResponse:
        return PreferencesResponse(channels=self._channels, preferences=[_row(kind, choices) for kind in KINDS])


def enabled_channels(kind: NotificationType, choices: Choices) -> frozenset[Channel]:
    """By which channels a person is told of this kind, whether or not the installation can use them."""
    rules = KINDS[kind]
    wanted = {each for each in Channel if choices.get((kind, each), each in rules.defaults)}
    return frozenset(wanted) | rules.locked


def _row(kind: NotificationType, choices: Choices) -> PreferenceResponse:
    enabled = enabled_channels(kind, choices)
    return PreferenceResponse(
        type=kind,
        in_app=Channel.IN_APP in enabled,
        email=Channel.EMAIL in enabled,
        push=Channel.PUSH in enabled,
        locked=sorted(KINDS[kind].locked),
    )
