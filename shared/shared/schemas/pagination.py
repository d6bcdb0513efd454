"""Pages of a list: what a client asks for, what it gets, and the queries in between."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Self, TypeVar

from fastapi import Depends, Query
from pydantic import Field
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.schemas.base import Schema

COUNT_LIMIT = 10_000
"""Rows are counted up to here; a longer list says so instead of being counted whole."""
DEFAULT_SIZE = 20
MAXIMUM_SIZE = 100
MAXIMUM_PAGE = 1_000_000

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page of a list: ``page`` from 1, ``size`` items on each."""

    page: int = 1
    size: int = DEFAULT_SIZE

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.size

    @property
    def limit(self) -> int:
        return self.size


async def _page_query(
    page: Annotated[int, Query(ge=1, le=MAXIMUM_PAGE)] = 1,
    size: Annotated[int, Query(ge=1, le=MAXIMUM_SIZE)] = DEFAULT_SIZE,
) -> PageQuery:
    return PageQuery(page=page, size=size)


PageParams = Annotated[PageQuery, Depends(_page_query)]
"""A route's parameter: ``async def list_users(params: PageParams)``."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page. Unless ``total_is_exact``, there are more than ``total`` items."""

    items: list[T]
    total: int
    total_is_exact: bool
    page: int
    size: int

    @property
    def pages(self) -> int:
        """How many pages ``total`` items fill."""
        return math.ceil(self.total / self.size)

    def map(self, convert: Callable[[T], U]) -> "Page[U]":
        """The same page with each item converted."""
        return Page([convert(item) for item in self.items], self.total, self.total_is_exact, self.page, self.size)


class PaginatedResponse(Schema, Generic[T]):
    """One page of a list."""

    items: list[T]
    total: int = Field(description=f"Exact up to {COUNT_LIMIT}")
    total_is_exact: bool = Field(default=True, description="False: there are more than `total`")
    page: int
    size: int
    pages: int

    @classmethod
    def of(cls, page: Page[Any]) -> Self:
        """``PaginatedResponse[UserResponse].of(page)``: items are read from rows' attributes."""
        return cls.model_validate(page)


async def paginate(
    session: AsyncSession, statement: Select[Any], params: PageQuery, *, scalars: bool = True
) -> Page[Any]:
    """Fetch one page of ``statement``, which needs an ORDER BY that leaves no ties.

    ``scalars``: items are each row's first column (an entity, usually); otherwise whole rows.
    """
    result = await session.execute(statement.limit(params.limit).offset(params.offset))
    items = list(result.scalars() if scalars else result.all())
    if len(items) < params.size and (items or params.page == 1):
        total, exact = params.offset + len(items), True  # the last page tells the total by itself
        exact, total = total <= COUNT_LIMIT, min(total, COUNT_LIMIT)
    else:
        rows = statement.order_by(None).limit(COUNT_LIMIT + 1).subquery()
        counted = (await session.execute(select(func.count()).select_from(rows))).scalar_one()
        total, exact = min(counted, COUNT_LIMIT), counted <= COUNT_LIMIT
    return Page(items, total, exact, params.page, params.size)
