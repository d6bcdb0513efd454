"""The declarative base of notification-service's tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from shared.database import NAMING_CONVENTION


class Base(DeclarativeBase):
    """Declares into a MetaData of the service's own."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
