"""Retention in PostgreSQL: what ended moves as it does in SQLite, and triggers refuse the same statements."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from handfast.ca.records import State
from handfast.errors import Conflict
from handfast.stores.postgresql import open_store
from handfast.stores.sql import SqlStore
from tests.contract.test_retention import EVENT, FAR, PAST, a_crl, issue, retire, revoke
from tests.databases import Server


@pytest.fixture
def store(postgresql_server: Server) -> Iterator[SqlStore]:
    opened = open_store(postgresql_server.new_database().partition(":")[2])
    yield opened
    opened.close()


def test_what_ended_moves_and_is_found_as_it_was(store: SqlStore) -> None:
    old = issue(store, 5, PAST)
    revoke(store, old)
    store.begin_crl(a_crl(1, PAST + timedelta(days=1)), EVENT)
    assert retire(store) == 2
    (found,) = store.by_serial(5)
    assert found.state(PAST + timedelta(days=365)) is State.REVOKED
    assert found.certificate == old.certificate
    assert store.by_batch("b", ["row-5"]) == (found,)


STATEMENTS = (
    "DELETE FROM revocation", "UPDATE revocation SET reason = 'removeFromCRL'", "TRUNCATE revocation",
    "DELETE FROM certificate", "DELETE FROM issued", "DELETE FROM crl", "DELETE FROM audit", "TRUNCATE audit",
    "DELETE FROM archive WHERE id = 1", "UPDATE archived_revocation SET reason = 'removeFromCRL'",
    "INSERT INTO revocation SELECT 99, serial, issuer, 1, 'removeFromCRL', 0, 0, '' FROM revocation",
    "INSERT INTO revocation SELECT 99, serial, issuer, 1, 'removeFromCRL', 0, 0, '' FROM archived_revocation",
)  # fmt: skip


def test_raw_sql_cannot_touch_what_is_kept(store: SqlStore) -> None:
    revoke(store, issue(store, 4, PAST))
    store.begin_crl(a_crl(1, PAST + timedelta(days=1)), EVENT)
    retire(store)
    revoke(store, issue(store, 5, FAR))
    went_through = []
    for statement in STATEMENTS:
        try:
            store.database.write(lambda transaction, sql=statement: transaction.rows(sql))  # type: ignore[misc]  # bound where it is made
        except Conflict:
            continue
        went_through.append(statement)
    assert went_through == []
    assert [store.by_serial(serial)[0].state(PAST) for serial in (4, 5)] == [State.REVOKED, State.REVOKED]
