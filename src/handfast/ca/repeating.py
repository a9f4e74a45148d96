"""A row of a bulk issue that is asked for again: answered with the certificate that it got, it gets no second."""

from collections.abc import Callable
from datetime import datetime

from handfast.ca.approving import RETRY_SOON, UNFINISHED_FOR
from handfast.ca.order import Issued, Order
from handfast.ca.ports import Store
from handfast.ca.records import CertificateRecord, Pending, State
from handfast.errors import Conflict, Unavailable
from handfast.pki.keys import key_identifier
from handfast.pki.serial import serial_text

Repeat = Callable[[Order, CertificateRecord], Issued]


def record_of_row(order: Order, store: Store, *, now: datetime) -> CertificateRecord | None:
    """What this row has on record; None when it has nothing, or is no row of a batch.

    Raises Conflict when that is for another key or is over, Unavailable while somebody else is at it.
    """
    row = order.batch_row
    found = store.by_batch(row.batch, [row.row]) if row is not None else ()
    if not found:
        return None
    record = found[0]
    state, serial = record.state(now), serial_text(record.serial)
    if record.key_id != key_identifier(order.public_key):
        hint = f"bring the right key back, or revoke {serial} and use another batch"
        raise Conflict(f"the certificate {serial} of this row is for another key", hint=hint)
    if state is State.UNFINISHED and now < record.created_at + UNFINISHED_FOR:
        hint = "ask the same again in some seconds"
        raise Unavailable("this row is just being issued", hint=hint, retry_after=RETRY_SOON)
    if state not in {State.UNFINISHED, State.VALID, State.NOT_YET_VALID}:
        hint = "issue it anew under another name or batch"
        raise Conflict(f"the certificate {serial} of this row is {state}", hint=hint)
    return record


def once(
    order: Order, store: Store, clock: Callable[[], datetime], *, repeat: Repeat, go_on: Callable[[], Issued | Pending]
) -> Issued | Pending:
    """What the row got before, or what `go_on` makes of it now. No certificate of somebody else is answered: the name
    of a batch begins with its requester's."""
    before = record_of_row(order, store, now=clock())
    if before is None:
        try:
            return go_on()
        except Conflict:
            # Somebody asked for the same row at the same moment, and was first.
            before = record_of_row(order, store, now=clock())
            if before is None:
                raise
    return repeat(order, before)
