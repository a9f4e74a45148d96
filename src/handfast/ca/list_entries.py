"""The entries of a list made upon those of the list before: the same as if all were taken from the store."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from handfast.ca.published import Entries
from handfast.ca.records import Revocation
from handfast.pki import der
from handfast.pki.crl import encode_entry

# As large as a write to the store for one more revocation shall be, in octets.
PIECE = 64 << 10


def carried_over(before: Entries, leaving: Iterable[tuple[int, int]], new: Sequence[Revocation]) -> Entries:
    """The entries before without those that leave, by id and serial, and then the new ones.

    Pieces in which nothing changed are the very same objects.
    """
    pieces, count = dict(before.pieces), before.count
    for last, serials in _by_piece(list(pieces), leaving).items():
        piece, removed = without(pieces[last], serials)
        count -= removed
        if not piece:
            del pieces[last]
        elif removed:
            pieces[last] = piece
    _append(pieces, new)
    return Entries(pieces, count + len(new))


def latest(changes: Iterable[Revocation]) -> list[Revocation]:
    """Of each certificate the last change, in the order of these."""
    found: dict[int, Revocation] = {}
    for one in changes:
        found.pop(one.serial, None)
        found[one.serial] = one
    return list(found.values())


def without(piece: bytes, serials: set[bytes]) -> tuple[bytes, int]:
    """The entries without those of these serials, which are INTEGERs in DER; and how many were left out."""
    kept: list[bytes] = []
    rest = removed = 0
    for begin, start, end in der.places(piece):
        if piece[start : start + 2 + piece[start + 1]] in serials:
            kept.append(piece[rest:begin])
            rest = end
            removed += 1
    return b"".join((*kept, piece[rest:])), removed


def _append(pieces: dict[int, bytes], new: Sequence[Revocation]) -> None:
    """To the last piece, if there is room in it, and to further ones."""
    last = next(reversed(pieces), 0)
    parts = [pieces.pop(last)] if new and pieces and len(pieces[last]) < PIECE else []
    size = sum(map(len, parts))
    for one in new:
        parts.append(encode_entry(one.serial, one.revoked_at, one.reason.flag))
        size += len(parts[-1])
        if size >= PIECE or one is new[-1]:
            pieces[one.id] = b"".join(parts)
            parts, size = [], 0


def _by_piece(lasts: Sequence[int], leaving: Iterable[tuple[int, int]]) -> dict[int, set[bytes]]:
    found: dict[int, set[bytes]] = {}
    for identifier, serial in leaving:
        place = bisect_left(lasts, identifier)
        if place < len(lasts):
            found.setdefault(lasts[place], set()).add(der.integer(serial))
    return found
