"""Entries put together from pieces are the very ones that are encoded one by one."""

import random
from datetime import UTC, datetime

from cryptography import x509

from handfast.ca.records import Reason
from handfast.pki import der
from handfast.pki.crl import encode_entry
from handfast.stores.entries import FLAGS, Encoder
from handfast.stores.rows import moment, serial_bytes

_EDGES = (1, 0x7F, 0x80, 0xFF, 1 << 151, (1 << 152) - 1, 1 << 152, (1 << 159) - 1, 1 << 159, (1 << 160) - 1)
_MOMENTS = (
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC),
    datetime(2026, 11, 26, 0, 0, 0, tzinfo=UTC),
    datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2050, 1, 1, 0, 0, 1, tzinfo=UTC),
)


def _rows() -> list[tuple[bytes, int, str, int, int]]:
    dice = random.Random(5280)
    reasons = [reason.value for reason in Reason if reason is not Reason.REMOVE_FROM_CRL]
    edges = [(serial, int(at.timestamp())) for serial in _EDGES for at in _MOMENTS]
    others = [(dice.getrandbits(159) | 1, dice.randrange(1 << 32)) for _ in range(500)]
    pairs = edges + others
    return [(serial_bytes(one), at, reasons[place % len(reasons)], 0, place) for place, (one, at) in enumerate(pairs)]


def test_each_serial_time_and_reason_gives_the_same_octets_as_one_by_one() -> None:
    rows = _rows()
    slow = [encode_entry(int.from_bytes(serial, "big"), moment(at), FLAGS[reason]) for serial, at, reason, *_ in rows]
    encoder = Encoder({})
    assert [encoder.entries([row]) for row in rows] == [(entry, 1) for entry in slow]
    assert Encoder({}).entries(rows) == (b"".join(slow), len(slow))


def test_cryptography_reads_the_same_serials_times_and_reasons() -> None:
    rows = {serial: (at, reason) for serial, at, reason, *_ in _rows()}
    entries, _ = Encoder({}).entries([(serial, at, reason, 0, 0) for serial, (at, reason) in rows.items()])
    algorithm, name, time = bytes.fromhex("300a06082a8648ce3d040302"), b"\x30\x00", der.time(_MOMENTS[2])
    signed = der.sequence((b"\x02\x01\x01", algorithm, name, time, der.sequence((entries,))))
    crl = x509.load_der_x509_crl(der.sequence((signed, algorithm, b"\x03\x02\x00\x00")))
    found = {one.serial_number: one for one in crl}
    assert len(found) == len(rows)
    for serial, (at, reason) in rows.items():
        one = found[int.from_bytes(serial, "big")]
        assert one.revocation_date_utc == moment(at)
        said = [extension.value for extension in one.extensions]
        assert said == ([] if reason == "unspecified" else [x509.CRLReason(FLAGS[reason])])


def test_only_the_last_row_of_a_serial_counts() -> None:
    held, released = serial_bytes(1 << 155), serial_bytes(1 << 156)
    rows = [
        (held, 10, "certificateHold", 0, 1),
        (held, 20, "superseded", 1, 2),
        (released, 10, "certificateHold", 0, 3),
        (released, 20, "removeFromCRL", 1, 4),
    ]
    both = [(1 << 155, "superseded"), (1 << 156, "removeFromCRL")]
    expected = b"".join(encode_entry(serial, moment(20), FLAGS[reason]) for serial, reason in both)
    assert Encoder({held: 1, released: 1}).entries(rows) == (expected, 2)
