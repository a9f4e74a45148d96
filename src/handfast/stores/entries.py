"""Rows of revocations as entries of a CRL in DER, a million in a second (RFC 5280 section 5.1.2.6)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from handfast.ca.records import Reason
from handfast.pki.crl import encode_entry, entry_frame
from handfast.stores import rows
from handfast.stores.rows import SERIAL_SIZE, Row

FLAGS = {reason.value: reason.flag for reason in Reason}
_REMOVED = Reason.REMOVE_FROM_CRL.value
_DAY = 86_400
_MINUTES = tuple(b"%02d%02d" % divmod(minute, 60) for minute in range(1440))
_SECONDS = tuple(b"%02dZ" % second for second in range(60))


@dataclass(frozen=True, slots=True)
class Encoder:
    """Puts entries together from pieces: what is the same for all entries of one day and reason is made once.

    later: for serials with more than one row, the sequence of the last.
    """

    later: dict[bytes, int]
    _frames: dict[tuple[int, str], tuple[bytes, bytes, bytes]] = field(default_factory=dict)

    def entries(self, piece: Iterable[Row]) -> bytes:
        """The entries of rows of serial, revoked_at, reason and sequence, one after the other."""
        later, frames = self.later, self._frames
        parts: list[bytes] = []
        for serial, at, reason, sequence in piece:
            if reason == _REMOVED or (later and later.get(serial, 0) != sequence):
                continue
            # Then all octets of the serial stand in its DER: no zero in front is dropped or added.
            if 0 < serial[0] < 0x80:
                day, second = divmod(at, _DAY)
                before, date, behind = frames.get((day, reason)) or self._frame(day, reason)
                parts += (before, serial, date, _MINUTES[second // 60], _SECONDS[second % 60], behind)
            else:
                parts.append(encode_entry(int.from_bytes(serial, "big"), rows.moment(at), FLAGS[reason]))
        return b"".join(parts)

    def _frame(self, day: int, reason: str) -> tuple[bytes, bytes, bytes]:
        frame = self._frames[day, reason] = entry_frame(SERIAL_SIZE, rows.moment(day * _DAY), FLAGS[reason])
        return frame
