"""Rows of revocations as entries of a CRL in DER, a million in a second (RFC 5280 section 5.1.2.6)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from handfast.ca.records import Reason
from handfast.pki.crl import encode_entry, entry_frame
from handfast.stores import rows
from handfast.stores.rows import SERIAL_SIZE, Row

FLAGS = {reason.value: reason.flag for reason in Reason}
_DAY = 86_400


@cache
def _clock() -> tuple[bytes, ...]:
    """HHMMSSZ for each second of a day."""
    minutes = [b"%02d%02d" % divmod(minute, 60) for minute in range(1440)]
    seconds = [b"%02dZ" % second for second in range(60)]
    return tuple(minute + second for minute in minutes for second in seconds)


@dataclass(frozen=True, slots=True)
class Encoder:
    """Puts entries together from pieces: what is the same for all entries of one day and reason is made once.

    later: for serials with more than one row, the sequence of the last; rows before it are left out.
    """

    later: dict[bytes, int]
    _frames: dict[tuple[int, str], tuple[bytes, bytes, bytes]] = field(default_factory=dict)

    def entries(self, piece: Sequence[Row]) -> tuple[bytes, int]:
        """The entries of rows that begin with serial, revoked_at, reason and sequence; and how many they are."""
        later, frames, clock = self.later, self._frames, _clock()
        parts: list[bytes] = []
        skipped = 0
        for serial, at, reason, sequence, _ in piece:
            if later and later.get(serial, 0) != sequence:
                skipped += 1
                continue
            # Then all octets of the serial stand in its DER: no zero in front is dropped or added.
            if 0 < serial[0] < 0x80:
                key = (at // _DAY, reason)
                before, date, behind = frames[key] if key in frames else self._frame(*key)
                parts += (before, serial, date, clock[at % _DAY], behind)
            else:
                parts.append(encode_entry(int.from_bytes(serial, "big"), rows.moment(at), FLAGS[reason]))
        return b"".join(parts), len(piece) - skipped

    def _frame(self, day: int, reason: str) -> tuple[bytes, bytes, bytes]:
        frame = self._frames[day, reason] = entry_frame(SERIAL_SIZE, rows.moment(day * _DAY), FLAGS[reason])
        return frame
