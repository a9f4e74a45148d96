"""The Date header, once a second for all responses (RFC 9110 section 6.6.1)."""

import asyncio
from email.utils import formatdate

from uvicorn.server import ServerState


async def keep_date(state: ServerState) -> None:
    """Keep it, until cancelled."""
    while True:
        state.default_headers = [(b"date", formatdate(usegmt=True).encode())]
        await asyncio.sleep(1)
