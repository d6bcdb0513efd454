"""Places in an ordered list: 1, 2, 3 … without gaps, whatever is put in, moved or taken out."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ARRAY, Integer, bindparam, func, update
from sqlalchemy.ext.asyncio import AsyncSession

from course_service.models import Lesson, Module


def placed(ids: Sequence[int], id_: int, position: int | None) -> list[int]:
    """Return `ids` with `id_` put or moved to `position`: from 1; None, or one beyond the end, means the end."""
    others = [other for other in ids if other != id_]
    index = len(others) if position is None else min(position - 1, len(others))
    return [*others[:index], id_, *others[index:]]


async def renumber(session: AsyncSession, model: type[Module] | type[Lesson], ids: Sequence[int]) -> None:
    """Give the rows of `ids` the positions 1 … n, in one statement: the unique constraint is checked at its end."""
    order = bindparam("order", list(ids), type_=ARRAY(Integer))
    await session.execute(
        update(model)
        .where(model.id.in_(ids))
        .values(position=func.array_position(order, model.id))
        .execution_options(synchronize_session=False)
    )
