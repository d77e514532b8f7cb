"""The sign-ins that were ended before their time, kept beside the chats: `chat.sign_outs` reads them."""

import time
from collections.abc import Sequence

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chat.store.tables import sign_outs

Row = tuple[str, str, float, float]
"""Sign-in ("" for all), whose, when it was ended, until when that is remembered."""


async def load(connection: AsyncConnection) -> Sequence[Row]:
    """What is still to be remembered, in the order in which it happened."""
    table = sign_outs.c
    statement = select(table.sign_in, table.whose, table.at, table.until).where(table.until > time.time())
    return [tuple(row) for row in await connection.execute(statement.order_by(table.at))]


async def save(connection: AsyncConnection, row: Row) -> None:
    sign_in, whose, at, until = row
    same = (sign_outs.c.whose == whose) & (sign_outs.c.sign_in == sign_in)
    # To end all of somebody's sign-ins ends each one as well.
    covered = sign_outs.c.whose == whose if not sign_in else same
    await connection.execute(delete(sign_outs).where(covered | (sign_outs.c.until <= time.time())))
    await connection.execute(insert(sign_outs).values(sign_in=sign_in, whose=whose, at=at, until=until))
