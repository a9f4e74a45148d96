"""Housekeeping moves what the settings say, and nothing else."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from handfast.ca.order import Order
from handfast.ca.records import Listing, State
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.subject import parse_subject
from handfast.server.assembly import assemble, open_parts
from handfast.server.founding import Plan, create_authority
from handfast.server.housekeeping import tidy
from handfast.server.journal import segments, streams

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def test_what_ended_before_the_limit_is_archived_and_the_rest_stays(tmp_path: Path) -> None:
    ca = tmp_path / "ca"
    create_authority(ca, Plan(name="Test"), passphrase=no_passphrase, clock=lambda: LONG_AGO).store.close()
    parts = open_parts(ca, passphrase=no_passphrase, clock=lambda: LONG_AGO)
    order = Order(profile="device", public_key=generate_key().public_key(), subject=parse_subject("CN=cam"))
    record = assemble(parts).issue(order).record
    parts.store.close()

    for now, archived in ((record.not_after + timedelta(days=89), 0), (record.not_after + timedelta(days=91), 1)):
        parts = open_parts(ca, passphrase=no_passphrase, clock=lambda now=now: now)  # type: ignore[misc]  # bound where it is made
        assert tidy(parts).archived == archived
        assert (record in parts.store.search(Listing(now=now)).records) is (archived == 0)
        (found,) = parts.store.by_serial(record.serial)
        assert found.state(now) is State.EXPIRED
        parts.store.close()


def test_old_segments_are_deleted_and_the_last_one_never(tmp_path: Path) -> None:
    ca = tmp_path / "ca"
    create_authority(ca, Plan(name="Test"), passphrase=no_passphrase).store.close()
    (ca / "handfast.toml").write_text('[journal]\nkeep = "30d"\n')
    (stream,) = streams(ca / "journal")
    now = datetime.now(UTC)
    for number, days in ((2, 31), (3, 29), (4, 90)):
        path = stream / f"{number:06}.log"
        path.touch()
        at = (now - timedelta(days=days)).timestamp()
        os.utime(path, (at, at))
    parts = open_parts(ca, passphrase=no_passphrase)
    assert tidy(parts).segments == 1
    parts.store.close()
    assert segments(stream) == [1, 3, 4]
