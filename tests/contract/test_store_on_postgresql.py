"""What only a store in PostgreSQL can do wrong: replicas, restarts, schemas, and triggers of its own."""

import os
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from handfast.ca.audit import verify_chain
from handfast.ca.records import Listing
from handfast.errors import ConfigError, Conflict, Malformed, Unavailable
from handfast.prove.process import wait_until
from handfast.stores.listening import CHANNEL
from handfast.stores.postgresql import open_store
from handfast.stores.sql import SqlStore
from tests.contract.test_store import NOW, a_record, a_revocation, an_event, issue
from tests.databases import Server, postgresql


def place(url: str) -> str:
    return url.partition(":")[2]


@pytest.fixture
def pair(postgresql_server: Server) -> Iterator[tuple[SqlStore, SqlStore]]:
    """Two replicas' stores on one database, made at the same moment."""
    location = place(postgresql_server.new_database())
    opened: list[SqlStore] = []
    threads = [threading.Thread(target=lambda: opened.append(open_store(location))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    yield opened[0], opened[1]
    for one in opened:
        one.close()


def test_replicas_that_write_at_once_lose_nothing_and_keep_the_audit_chain(pair: tuple[SqlStore, SqlStore]) -> None:
    failed: list[Exception] = []

    def work(store: SqlStore, first: int) -> None:
        try:
            for number in range(first, first + 10):
                issue(store, a_record(number))
                store.append_revocation(a_revocation(number), an_event())
        except Exception as error:
            failed.append(error)

    threads = [
        threading.Thread(target=work, args=(store, 1000 * (1 + index) + 100 * number))
        for index, store in enumerate(pair)
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    one, other = pair
    assert len(one.search(Listing(now=NOW, limit=200)).records) == 80
    assert other.last_revocation_id() == 80
    assert verify_chain(other.events(limit=1000)) == ()
    assert [change.id for change in one.changes("issuing", after=0, until=80)] == list(range(1, 81))


def test_of_one_serial_only_one_replica_gets_hold(pair: tuple[SqlStore, SqlStore]) -> None:
    one, other = pair
    issue(one, a_record(7))
    with pytest.raises(Conflict):
        issue(other, a_record(7))
    issue(other, a_record(8))


def test_the_triggers_refuse_what_sql_may_not_do(postgresql_server: Server) -> None:
    url = postgresql_server.new_database()
    store = open_store(place(url))
    issue(store, a_record(4))
    store.append_revocation(a_revocation(4), an_event())
    for sql in (
        "DELETE FROM revocation",
        "UPDATE revocation SET reason = 'removeFromCRL'",
        "UPDATE audit SET actor = 'x'",
        "DELETE FROM certificate",
        "TRUNCATE revocation",
        "TRUNCATE audit",
    ):
        with pytest.raises(Conflict):
            store.database.write(lambda transaction, sql=sql: transaction.rows(sql))  # type: ignore[misc]  # sql is bound here
    assert store.revocation("issuing", 4) is not None
    store.close()


def test_a_schema_is_an_authority_of_its_own(postgresql_server: Server) -> None:
    url = place(postgresql_server.new_database())
    one, other = open_store(f"{url}&schema=one"), open_store(f"{url}&schema=other")
    issue(one, a_record(1))
    assert other.search(Listing(now=NOW)).records == ()
    issue(other, a_record(1))
    one.close()
    other.close()


@pytest.mark.parametrize("location", ["//", "//host", "nohost/db", "//u@/db?host=/x&schema=a-b", "//u@[::1/db"])
def test_a_location_that_cannot_work_is_refused(location: str) -> None:
    with pytest.raises(ConfigError):
        open_store(location)


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with pytest.raises(Unavailable) as caught:
        open_store("//me:secret-word@127.0.0.1:1/handfast")
    assert "secret-word" not in str(caught.value) + caught.value.hint
    assert "127.0.0.1:1/handfast" in str(caught.value)


@pytest.mark.parametrize("password", ["se%zzcret", "secret/word", "secret:word@x:y"])
def test_a_password_that_breaks_the_url_is_not_shown(password: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(f"//me:{password}@127.0.0.1/handfast")
    assert "cret" not in str(caught.value) + caught.value.hint


def test_what_is_no_text_harms_only_who_sent_it(postgresql_server: Server) -> None:
    store = open_store(place(postgresql_server.new_database()))
    with pytest.raises(Malformed):
        store.by_name("a\0b")
    with pytest.raises(Malformed):
        store.begin([a_record(1, label="a\0b")])
    assert store.begin([a_record(1)]) == [1]
    store.close()


def test_a_later_schema_is_named(postgresql_server: Server) -> None:
    location = place(postgresql_server.new_database())
    later = open_store(location)
    later.database.write(lambda transaction: transaction.rows("INSERT INTO schema_version VALUES (999)"))
    later.close()
    with pytest.raises(ConfigError, match="999"):
        open_store(location)


def test_of_several_servers_one_that_takes_no_writes_is_not_read(postgresql_server: Server) -> None:
    with postgresql() as behind:
        for server in (behind, postgresql_server):
            server.tell("create database several")
        open_store(place(behind.url("several"))).close()
        behind.tell("alter database several set default_transaction_read_only = on")
        store = open_store(f"{place(behind.url('several'))},{postgresql_server.directory}")
        issue(store, a_record(1))
        assert [one.serial for one in store.search(Listing(now=NOW)).records] == [1]
        store.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_what_was_acknowledged_survives_a_restart_and_the_store_goes_on(how: signal.Signals) -> None:
    with postgresql(durable=True) as server:
        store = open_store(place(server.new_database()))
        issue(store, a_record(1))
        server.restart(how=how)
        assert [one.serial for one in store.search(Listing(now=NOW)).records] == [1]
        issue(store, a_record(2))
        assert [one.serial for one in store.search(Listing(now=NOW)).records] == [2, 1]
        store.close()


def test_a_lease_has_one_owner_until_it_ends(pair: tuple[SqlStore, SqlStore]) -> None:
    one, other = pair
    assert one.leases.claim("publish", "one", timedelta(hours=1))
    assert not other.leases.claim("publish", "other", timedelta(hours=1))
    assert one.leases.claim("publish", "one", timedelta(seconds=0))
    assert other.leases.claim("publish", "other", timedelta(hours=1))
    assert not one.leases.claim("publish", "one", timedelta(hours=1))
    other.leases.release("publish", "other")
    assert one.leases.claim("publish", "one", timedelta(hours=1))


def test_the_change_mark_tells_of_revocations_by_other_replicas_and_stands_still_otherwise(
    pair: tuple[SqlStore, SqlStore],
) -> None:
    one, other = pair
    wait_until(lambda: one.change_mark() == one.change_mark(), "somebody listens")
    before = one.change_mark()
    issue(other, a_record(7))
    other.append_revocation(a_revocation(7), an_event())
    wait_until(lambda: one.change_mark() != before, "the news has come")
    after = one.change_mark()
    issue(other, a_record(8))
    assert one.change_mark() == after


def test_a_listener_that_gets_no_answer_takes_everything_for_changed(postgresql_server: Server) -> None:
    url = postgresql_server.new_database()
    store = open_store(place(url))
    wait_until(lambda: store.change_mark() == store.change_mark(), "somebody listens")
    name = urlsplit(url).path.strip("/")
    listens = f"datname = '{name}' and query in ('LISTEN {CHANNEL}', 'SELECT pg_backend_pid()')"
    silent = int(postgresql_server.tell(f"select pid from pg_stat_activity where {listens}"))
    os.kill(silent, signal.SIGSTOP)
    try:
        wait_until(lambda: store.change_mark() != store.change_mark(), "the silence is noticed")
    finally:
        os.kill(silent, signal.SIGCONT)
    wait_until(lambda: store.change_mark() == store.change_mark(), "somebody listens again")
    store.close()


def test_without_a_server_everything_counts_as_changed() -> None:
    with postgresql() as server:
        store = open_store(place(server.new_database()))
        wait_until(lambda: store.change_mark() == store.change_mark(), "somebody listens")
        before = store.change_mark()
        server.restart()
        wait_until(lambda: store.change_mark() != before, "it is noticed")
        wait_until(lambda: store.change_mark() == store.change_mark(), "somebody listens again")
        store.close()
