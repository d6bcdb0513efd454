"""What all repositories have in common."""

from sqlalchemy.ext.asyncio import AsyncSession


class BaseRepository:
    """Queries within one transaction: that of the session it is made with."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
