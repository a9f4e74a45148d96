"""Issued, revoked, backed up, restored and archived in whatever order: nothing is lost, nothing forgiven."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from handfast.ca.audit import verify_chain
from handfast.ca.authority import Authority
from handfast.ca.order import Order
from handfast.ca.records import Reason, State
from handfast.errors import Conflict
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.subject import parse_subject
from handfast.server.assembly import Parts, assemble, open_parts
from handfast.server.backup import back_up
from handfast.server.founding import Plan, create_authority
from handfast.server.housekeeping import retire
from handfast.server.restoring import Sources, restore

KEY = generate_key().public_key()
ACTIONS = ("issue", "revoke", "hold", "release", "back up", "restore", "restore", "archive", "crl", "wait")


@dataclass(slots=True)
class World:
    """What people outside know. The database's own clock is far beyond: its triggers let everything go that may."""

    folder: Path
    now: datetime = datetime(2015, 1, 1, tzinfo=UTC)
    serials: list[int] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    backups: list[Path] = field(default_factory=list)
    number: int = 0
    restored: int = 0
    parts: Parts = field(init=False)

    def __post_init__(self) -> None:
        settings = f'[journal]\ndirectory = "{self.folder / "journal"}"\n'
        plan = Plan(name="Test", settings=settings)
        create_authority(self.folder / "ca-0", plan, passphrase=no_passphrase, clock=self.clock).store.close()
        self.parts = open_parts(self.folder / "ca-0", passphrase=no_passphrase, clock=self.clock)
        self.act("back up", 0)
        self.act("issue", 0)

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    @property
    def authority(self) -> Authority:
        return assemble(self.parts)

    def act(self, action: str, which: int) -> None:
        if action == "issue":
            order = Order(profile="device", public_key=KEY, subject=parse_subject("CN=cam"), lifetime=timedelta(days=5))
            serial = self.authority.issue(order).record.serial
            assert serial not in self.serials
            self.serials.append(serial)
        elif action == "wait":
            self.now += timedelta(days=60)
        elif action == "back up":
            path = self.folder / f"{len(self.backups)}.tar"
            back_up(self.parts, path)
            self.backups.append(path)
        elif action == "restore":
            self.restore(self.backups[which % len(self.backups)])
        elif action == "archive":
            retire(self.parts)
        elif action == "crl":
            self.publish()
        else:
            self.change(action, self.serials[which % len(self.serials)])

    def change(self, action: str, serial: int) -> None:
        record = self.authority.find(f"{serial:x}")
        try:
            if action == "hold":
                self.authority.hold(record)
            elif action == "release":
                self.authority.release(record)
            else:
                self.authority.revoke(record, Reason.KEY_COMPROMISE)
                self.gone.add(serial)
        except Conflict:
            assert action != "revoke" or serial in self.gone

    def restore(self, backup: Path) -> None:
        self.parts.store.close()
        self.restored += 1
        directory = self.folder / f"ca-{self.restored}"
        report = restore(backup, directory, Sources(), passphrase=no_passphrase, clock=self.clock)
        assert {one.code for one in report.lost} == {"access-is-old"}
        self.parts = open_parts(directory, passphrase=no_passphrase, clock=self.clock)

    def publish(self) -> None:
        crl = x509.load_der_x509_crl(self.authority.crl("issuing"))
        number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        assert number > self.number
        self.number = number
        listed = {entry.serial_number for entry in crl}
        records = [self.authority.find(f"{serial:x}") for serial in self.serials]
        wanted = {one.serial for one in records if one.not_after >= crl.last_update_utc}
        assert self.gone & wanted <= listed


@settings(max_examples=12, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 7)), min_size=4, max_size=14))
def test_nothing_is_lost_and_what_was_revoked_is_never_good_again(actions: Sequence[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for action, which in (*actions, ("restore", 0), ("crl", 0)):
            world.act(action, which)
            for serial in world.serials:
                (record,) = world.parts.store.by_serial(serial)
                assert record.certificate is not None
                assert (record.state(world.now) is State.REVOKED) == (serial in world.gone)
        assert verify_chain(world.parts.store.events(limit=100_000)) == ()
        world.parts.store.close()
