"""Pages of certificates: what each kind of list holds and in which order, and that its cursor loses none."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from handfast import registry
from handfast.ca.records import CertificateRecord, Listing, Reason, State
from handfast.errors import Malformed
from handfast.pki.names import parse_names
from handfast.stores import searching
from handfast.stores.listing import matching
from handfast.stores.sql import SqlStore
from handfast.stores.sqlite import open_store
from tests.contract.test_store import NOW, a_record, a_revocation, an_event, issue
from tests.databases import Server
from tests.old_store import make_old

DAY = timedelta(days=1)
STATES = tuple(State)
PROFILES = ("device", "server")
REQUESTERS = ("operator", "ra")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql_server")
        kind, _, location = server.new_database().partition(":")
    else:
        kind, location = "sqlite", str(tmp_path_factory.mktemp("pages") / "ca.sqlite")
    opened: SqlStore = registry.load("stores", kind).open_store(location)
    fill(opened)
    yield opened
    opened.close()


def fill(store: SqlStore) -> None:
    """Sixty of each state, the states taking turns; of each four that end on the same day."""
    records = [made(number) for number in range(1, 361)]
    issue(store, *[one for one in records if state_of(one.serial) is not State.UNFINISHED])
    store.begin([one for one in records if state_of(one.serial) is State.UNFINISHED])
    for one in reversed(records):
        if state_of(one.serial) is State.REVOKED:
            store.append_revocation(a_revocation(one.serial), an_event())
        if state_of(one.serial) is State.HELD:
            store.append_revocation(a_revocation(one.serial, reason=Reason.CERTIFICATE_HOLD), an_event())
        if one.serial % 30 == 0 or one.serial % 30 == 1:
            release(store, one)


def release(store: SqlStore, record: CertificateRecord) -> None:
    if state_of(record.serial) is State.VALID:
        store.append_revocation(a_revocation(record.serial, reason=Reason.CERTIFICATE_HOLD), an_event())
        store.append_revocation(a_revocation(record.serial, 1, Reason.REMOVE_FROM_CRL), an_event())


def state_of(serial: int) -> State:
    return STATES[serial % len(STATES)]


def made(serial: int) -> CertificateRecord:
    state, spread = state_of(serial), DAY * (serial // 24 + 1)
    begin, end = NOW - 90 * DAY, NOW + spread
    if state is State.EXPIRED:
        end = NOW - spread
    if state is State.NOT_YET_VALID:
        begin = NOW + DAY
    return a_record(
        serial,
        not_before=begin,
        not_after=end,
        profile=PROFILES[serial // 6 % 2],
        requester=REQUESTERS[serial // 90 % 2],
    )


def pages(store: SqlStore, listing: Listing) -> list[CertificateRecord]:
    """All records of a listing, page by page."""
    found: list[CertificateRecord] = []
    while True:
        page = store.search(listing)
        assert len(page.records) <= listing.limit
        found += page.records
        if page.cursor is None:
            return found
        assert page.cursor != listing.before
        listing = replace(listing, before=page.cursor)


def every(store: SqlStore) -> list[CertificateRecord]:
    return pages(store, Listing(now=NOW, limit=1000))


def in_order(records: list[CertificateRecord], listing: Listing) -> list[int]:
    """The ids in the order that the listing promises."""
    if listing.state in {State.REVOKED, State.HELD}:
        ordered = sorted(records, key=lambda one: one.revocation.id if one.revocation else 0, reverse=True)
    elif listing.state is State.EXPIRED:
        ordered = sorted(records, key=lambda one: (one.not_after, one.id), reverse=True)
    elif listing.expires_before is not None:
        ordered = sorted(records, key=lambda one: (one.not_after, one.id))
    else:
        ordered = sorted(records, key=lambda one: one.id, reverse=True)
    return [one.id for one in ordered]


def wanted(record: CertificateRecord, listing: Listing) -> bool:
    return (
        (listing.state is None or record.state(NOW) is listing.state)
        and (listing.profile is None or record.profile == listing.profile)
        and (listing.requester is None or record.requester == listing.requester)
        and (listing.expires_before is None or record.not_after < listing.expires_before)
        and (listing.text is None or record.label.startswith(listing.text))
    )


LISTINGS = [
    Listing(now=NOW, limit=19, state=state, profile=profile, requester=requester, text=text, expires_before=end)
    for state in (None, *STATES)
    for profile, requester in ((None, None), ("server", None), (None, "ra"), ("server", "ra"))
    for text in (None, "cam-1", "cam-33")
    for end in (None, NOW + 5 * DAY)
]


@pytest.fixture(params=[searching.MOST, 20], ids=["whole", "small"])
def bounds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds as they are, and so small that every way to make a page is taken."""
    if request.param == 20:
        for name, value in (("MOST", 20), ("_MOST_SORTED", 30), ("_FIRST", 4), ("_PIECE", 8)):
            monkeypatch.setattr(searching, name, value)


@pytest.mark.usefixtures("bounds")
def test_pages_hold_each_certificate_once_and_in_order(store: SqlStore) -> None:
    records = every(store)
    assert len(records) == 360
    for listing in LISTINGS:
        expected = [one for one in records if wanted(one, listing)]
        found = [one.id for one in pages(store, listing)]
        assert found == in_order(expected, listing), listing


@pytest.mark.parametrize("size", [128, 1024])
def test_sqlite_looks_at_candidates_only_whatever_else_a_listing_asks_for(empty: SqlStore, size: int) -> None:
    for listing in LISTINGS:
        query = matching(listing, size)
        plan = empty.database.read(f"EXPLAIN QUERY PLAN {query.sql}", [*range(size), *query.values])
        assert "rowid=?" in plan[0][3], (listing, plan)


def test_every_state_is_there_and_has_what_was_made(store: SqlStore) -> None:
    for state in STATES:
        found = pages(store, Listing(now=NOW, state=state, limit=11))
        assert len(found) == 60
        assert {one.state(NOW) for one in found} == {state}


def test_a_cursor_of_no_list_by_ends_is_refused(store: SqlStore) -> None:
    with pytest.raises(Malformed, match="no cursor"):
        store.search(Listing(now=NOW, state=State.EXPIRED, before=999_999))


def test_a_word_after_a_quotation_mark_or_a_dash_of_another_script_is_found_and_the_kind_of_a_name_is_not(
    empty: SqlStore,
) -> None:
    names = parse_names(["gate.example.org"])
    issue(empty, a_record(1, subject=r"CN=x,O=\"Inner\" \"West\"", label='Gate–9 "Tower" West', names=names))
    for text in ("9", "tower", "west", "inner", "gate", "example"):
        assert [one.serial for one in pages(empty, Listing(now=NOW, text=text))] == [1], text
    for text in ("dns", "ower", "xample"):
        assert pages(empty, Listing(now=NOW, text=text)) == [], text


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[SqlStore]:
    opened: SqlStore = registry.load("stores", "sqlite").open_store(str(tmp_path / "ca.sqlite"))
    yield opened
    opened.close()


def test_a_search_finds_the_beginning_of_every_word_in_names_label_and_subject(empty: SqlStore) -> None:
    names = parse_names(["cam-7.example.org", "alice@mail.test", "spiffe://mesh.test/ns/shop", "10.1.2.3"])
    subject = r"CN=Kamera Süd,O=Müller\, Söhne+OU=100%,SERIALNUMBER=ä_b"
    issue(empty, a_record(1, subject=subject, label="Tor Nord", names=names))
    found = ["cam-7", "CAM", "7.ex", "example.org", "org", "alice@", "mail", "mesh", "ns/shop", "10.1.2", "3",
             "kamera süd", "süd", "müller, s", "SÖHNE", "100%", "b", "tor nord", "nord"]  # fmt: skip
    for text in found:
        assert [one.serial for one in empty.search(Listing(now=NOW, text=text)).records] == [1], text
    for text in ["am-7", "xample", "0.1", "o=", "%", "_", "ord", "cam-7.example.orgx", "cam_7", "öhne", "00%"]:
        assert empty.search(Listing(now=NOW, text=text)).records == (), text


def test_a_search_for_more_than_the_index_keeps_is_exact(empty: SqlStore) -> None:
    long = "a" * 60 + "." + "b" * 60
    issue(empty, a_record(1, names=parse_names([f"{long}.test"])), a_record(2, names=parse_names([f"{long}c.test"])))
    assert [one.serial for one in empty.search(Listing(now=NOW, text=f"{long}.t")).records] == [1]
    assert [one.serial for one in empty.search(Listing(now=NOW, text=long)).records] == [2, 1]


def test_certificates_of_before_are_found_after_the_migration(tmp_path: Path) -> None:
    path = tmp_path / "ca.sqlite"
    make_old("sqlite", str(path), count=2501)
    with closing(open_store(str(path))) as store:
        assert [one.serial for one in store.search(Listing(now=NOW, text="2500.exa")).records] == [2500]
        assert [one.serial for one in store.search(Listing(now=NOW, state=State.UNFINISHED)).records] == [7]


def test_what_left_for_the_archive_is_found_by_no_word(tmp_path: Path) -> None:
    path = tmp_path / "ca.sqlite"
    with closing(open_store(str(path))) as store:
        issue(store, a_record(1, not_before=NOW - 3000 * DAY, not_after=NOW - 2000 * DAY))
        assert store.retire(ended_before=NOW - 1000 * DAY, now=NOW) == 1
        assert store.search(Listing(now=NOW, text="cam")).records == ()
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT * FROM certificate_word").fetchall() == []
