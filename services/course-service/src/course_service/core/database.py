"""The declarative base of course-service's tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from shared.database import NAMING_CONVENTION


class Base(DeclarativeBase):
    """Every table of this service."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
