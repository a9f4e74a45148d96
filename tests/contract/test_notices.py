"""Notices: told once, delivered by real HTTP and SMTP, tried again, and never lost."""

import hashlib
import hmac
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_network
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

from handfast.ca.authority import Authority
from handfast.ca.notices import GIVE_UP_AFTER, Notice, NoticeKind, next_attempt
from handfast.ca.order import Order
from handfast.ca.policy import OPERATOR, Grant, Policy, Requester
from handfast.ca.records import Pending
from handfast.errors import ConfigError
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind
from handfast.pki.subject import parse_subject
from handfast.prove.process import free_port, start, wait_listening, wait_until
from handfast.server.delivering import SIGNATURE, Delivery, delivery_of, signature
from handfast.server.founding import Plan, create_authority
from handfast.server.notice_settings import NoticeSettings, parse_notices
from handfast.server.noticing import notices_of
from handfast.stores.sql import SqlStore
from handfast.stores.sqlite import open_store
from tests.loopback_http import Server, body, http_server
from tests.programs import required_program

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"),)
SECRET = "0123456789abcdef0123456789abcdef"  # for this test only
AHEAD = (timedelta(days=30), timedelta(days=7), timedelta(days=1))


def a_notice(subject: str = "crl/issuing/7", **changes: object) -> Notice:
    given = {"subject": subject, "kind": NoticeKind.CRL_LATE, "text": "the CRL 7 ends", "created_at": NOW} | changes
    return Notice(**given)  # type: ignore[arg-type]  # a test's own words


@pytest.fixture
def store(tmp_path: Path) -> SqlStore:
    return open_store(str(tmp_path / "ca.sqlite"))


def secret_in(directory: Path) -> None:
    path = directory / "webhook.secret"
    path.touch(mode=0o600)
    path.write_text(SECRET + "\n", encoding="ascii")


def hook(tmp_path: Path, server: Server, store: SqlStore) -> Delivery:
    secret_in(tmp_path)
    settings = NoticeSettings(webhooks=(f"{server.url}/hook",), secret_file="webhook.secret", networks=LOOPBACK)
    return delivery_of(settings, store.notices, tmp_path)


def test_a_notice_is_queued_once_whoever_finds_it(store: SqlStore) -> None:
    assert store.notices.add([a_notice(), a_notice("crl/root/3")]) == 2
    assert store.notices.add([a_notice()]) == 0
    assert [notice.subject for notice in store.notices.due(NOW)] == ["crl/issuing/7", "crl/root/3"]
    assert store.notices.due(NOW - timedelta(seconds=1)) == ()


def test_a_webhook_gets_the_notice_with_a_signature_that_its_receiver_can_check(
    tmp_path: Path, store: SqlStore
) -> None:
    got: list[tuple[str, bytes]] = []

    def take(handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        got.append((handler.headers[SIGNATURE], handler.rfile.read(length)))
        body(b"", 204)(handler)

    store.notices.add([a_notice()])
    with http_server() as server:
        server.answers["/hook"] = take
        assert hook(tmp_path, server, store).deliver(NOW) == (1, 0)

    said, content = got[0]
    moment, _, digest = said.removeprefix("t=").partition(",v1=")
    expected = hmac.new(SECRET.encode(), f"{moment}.".encode() + content, hashlib.sha256).hexdigest()
    assert (digest, int(moment)) == (expected, int(NOW.timestamp()))
    assert json.loads(content)["text"] == "the CRL 7 ends"
    assert store.notices.waiting() == 0


def test_what_is_not_taken_is_tried_again_later_and_given_up_when_it_is_old(tmp_path: Path, store: SqlStore) -> None:
    store.notices.add([a_notice()])
    with http_server() as server:
        server.answers["/hook"] = body(b"down", 503)
        delivery = hook(tmp_path, server, store)
        assert delivery.deliver(NOW) == (0, 1)
        assert delivery.deliver(NOW) == (0, 0)
        assert delivery.deliver(NOW + timedelta(minutes=1)) == (0, 1)
        assert store.notices.due(NOW + timedelta(minutes=2)) == ()
        assert store.notices.waiting() == 1
        assert delivery.deliver(NOW + GIVE_UP_AFTER) == (0, 1)
    assert store.notices.waiting() == 0


def test_a_channel_that_fails_keeps_no_other_from_it_and_is_alone_given_it_again(
    tmp_path: Path, store: SqlStore
) -> None:
    secret_in(tmp_path)
    told: list[tuple[str, dict[str, object]]] = []
    store.notices.add([a_notice()])
    with http_server() as server:
        server.answers |= {"/down-SECRET": body(b"", 500), "/up": body(b"", 204)}
        settings = NoticeSettings(
            webhooks=(f"{server.url}/down-SECRET", f"{server.url}/up"), secret_file="webhook.secret", networks=LOOPBACK
        )
        delivery = delivery_of(settings, store.notices, tmp_path, lambda event, **fields: told.append((event, fields)))
        assert delivery.deliver(NOW) == (0, 1)
        assert server.asked == ["/down-SECRET", "/up"]
        server.answers["/down-SECRET"] = body(b"", 204)
        assert delivery.deliver(NOW + timedelta(minutes=1)) == (1, 0)
        assert server.asked == ["/down-SECRET", "/up", "/down-SECRET"]
    assert [event for event, _ in told] == ["notice.missed"]
    assert "answered 500" in str(told)
    assert "SECRET" not in str(told)


class _Mailbox(StreamRequestHandler):
    """A mail server that knows ops@example.org only."""

    def handle(self) -> None:
        self.wfile.write(b"220 mail\r\n")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                self.server.got.append(text)  # type: ignore[attr-defined]  # set below
            is_refused = word == b"RCPT" and b"<ops@example.org>" not in line
            self.wfile.write(b"550 nobody is known by that name\r\n" if is_refused else b"250 well\r\n")


def test_a_recipient_that_is_refused_keeps_nobody_else_from_the_mail(tmp_path: Path, store: SqlStore) -> None:
    store.notices.add([a_notice()])
    with ThreadingTCPServer(("127.0.0.1", 0), _Mailbox) as server:
        got = server.got = []  # type: ignore[attr-defined]  # what came
        Thread(target=server.serve_forever, daemon=True).start()
        settings = NoticeSettings(
            smtp=f"127.0.0.1:{server.server_address[1]}",
            sender="ca@example.org",
            recipients=("gone@example.org", "ops@example.org"),
            networks=LOOPBACK,
        )
        delivery = delivery_of(settings, store.notices, tmp_path)
        assert delivery.deliver(NOW) == (0, 1)
        assert delivery.deliver(NOW + timedelta(minutes=1)) == (0, 1)
        server.shutdown()
    assert len(got) == 1
    assert b"the CRL 7 ends" in got[0]
    ((why,),) = store.database.read("SELECT failure FROM notice")
    assert "gone@example.org" in why
    assert "nobody is known by that name" in why


def test_a_pause_doubles_and_has_an_end() -> None:
    pauses = [next_attempt(a_notice(attempts=number), NOW) for number in (0, 1, 2, 40)]
    assert [one and one - NOW for one in pauses] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4),
                                                     timedelta(hours=8)]  # fmt: skip


def test_a_webhook_on_a_private_address_is_not_reached_unless_its_network_is_named(
    tmp_path: Path, store: SqlStore
) -> None:
    store.notices.add([a_notice()])
    with http_server() as server:
        server.answers["/hook"] = body(b"", 204)
        (tmp_path / "s").touch(mode=0o600)
        (tmp_path / "s").write_text(SECRET, encoding="ascii")
        settings = NoticeSettings(webhooks=(f"{server.url}/hook",), secret_file="s")
        assert delivery_of(settings, store.notices, tmp_path).deliver(NOW) == (0, 1)
        assert server.asked == []


def test_a_mail_server_gets_a_mail(tmp_path: Path, short_path: Path, store: SqlStore) -> None:
    required_program("smtp-sink")
    port = free_port()
    (short_path / "mail").mkdir()
    (short_path / "mail").chmod(0o777)
    as_root = ["-u", "nobody"] if os.getuid() == 0 else []
    command = ["smtp-sink", *as_root, "-d", f"{short_path}/mail/%M.", f"127.0.0.1:{port}", "10"]
    sink = start(command, output=short_path / "sink.log", directory=short_path)
    settings = NoticeSettings(
        smtp=f"127.0.0.1:{port}", sender="ca@example.org", recipients=("ops@example.org",), networks=LOOPBACK
    )
    delivery = delivery_of(settings, store.notices, tmp_path)
    store.notices.add([a_notice()])
    try:
        wait_listening(sink, ("127.0.0.1", port))
        assert delivery.deliver(NOW) == (1, 0)
        wait_until(lambda: any((short_path / "mail").iterdir()), "the mail is written")
        text = next((short_path / "mail").iterdir()).read_text(encoding="utf-8")
    finally:
        sink.stop()
    assert "Subject: [handfast] the CRL 7 ends" in text
    assert "To: ops@example.org" in text


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"webhooks": ["https://h.example.org/"]}, "needs notices.secret_file"),
        ({"smtp": "mail.example.org"}, "needs notices.sender"),
        ({"smtp": "mail.example.org:99999"}, "a host and a port"),
        ({"webhook": []}, "there is no setting notices.webhook"),
        ({"networks": ["10.0.0.1/8"]}, "must be networks"),
        ({"ahead": ["soon"]}, "notices.ahead"),
        ({"recipients": ["nobody"]}, "an e-mail address"),
        ([], "must be a table"),
    ],
)
def test_settings_that_cannot_work_are_refused(table: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_notices("notices", table)


def test_a_secret_that_can_be_guessed_is_refused(tmp_path: Path, store: SqlStore) -> None:
    (tmp_path / "s").touch(mode=0o600)
    (tmp_path / "s").write_text("short", encoding="ascii")
    settings = NoticeSettings(webhooks=("https://h.example.org/",), secret_file="s")  # a file's name
    with pytest.raises(ConfigError, match="too few"):
        delivery_of(settings, store.notices, tmp_path)


def test_another_second_is_another_signature() -> None:
    assert signature(b"k" * 32, 1, b"x") != signature(b"k" * 32, 2, b"x")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return create_authority(tmp_path / "ca", Plan(name="T"), passphrase=no_passphrase)


def issue(authority: Authority, name: str, lifetime: timedelta) -> None:
    key = generate_key(KeyKind.P256)
    authority.issue(
        Order(profile="client", public_key=key.public_key(), subject=parse_subject(f"CN={name}"), lifetime=lifetime)
    )


def test_certificates_that_end_are_told_of_by_the_nearest_limit_unless_they_have_a_successor(
    authority: Authority,
) -> None:
    issue(authority, "soon", timedelta(hours=20))
    issue(authority, "week", timedelta(days=5))
    issue(authority, "far", timedelta(days=200))
    issue(authority, "renewed", timedelta(days=5))
    issue(authority, "renewed", timedelta(days=200))

    told = [notice for notice in notices_of(authority, AHEAD) if notice.kind is NoticeKind.CERTIFICATE_EXPIRES]

    assert [(notice.detail["within"], notice.detail["count"]) for notice in told] == [("1d", "1"), ("7d", "1")]
    assert ["soon" in told[0].text, "week" in told[1].text] == [True, True]
    authority.store.close()


def test_a_request_that_waits_for_approval_is_told_of_once(authority: Authority) -> None:
    under_eyes = replace(authority, policy=Policy(approvals={"client": 1}))
    asking = Requester("fleet", frozenset({Grant.ISSUE}), None)
    key = generate_key(KeyKind.P256)
    order = Order(profile="client", public_key=key.public_key(), subject=parse_subject("CN=bob"), requester=asking)
    pending = under_eyes.enroll(order)
    assert isinstance(pending, Pending)

    told = [one for one in notices_of(under_eyes, AHEAD) if one.kind is NoticeKind.APPROVAL_PENDING]
    under_eyes.approve(pending.transaction, OPERATOR)
    after = [one for one in notices_of(under_eyes, AHEAD) if one.kind is NoticeKind.APPROVAL_PENDING]

    assert [one.subject for one in told] == [f"approval/{pending.transaction}"]
    assert "fleet asks for a client certificate for CN=bob" in told[0].text
    assert after == []
    authority.store.close()


def test_a_crl_that_was_not_published_again_is_told_of(authority: Authority) -> None:
    last = authority.store.last_crl("issuing")
    assert last is not None
    at = [last.next_update - timedelta(days=4), last.next_update - timedelta(days=1), last.next_update]
    told = []
    for moment in at:
        later = _at(authority, moment)
        told.append([notice.subject for notice in notices_of(later, AHEAD) if notice.kind is NoticeKind.CRL_LATE])
    assert told == [[], ["crl/issuing/1/ends"], ["crl/issuing/1/ended"]]
    authority.store.close()


def test_a_ca_that_ends_is_told_of_a_year_ahead(authority: Authority) -> None:
    end = authority.issuers["issuing"].certificate.not_valid_after_utc
    told = [
        [
            notice.detail["issuer"]
            for notice in notices_of(_at(authority, moment), ())
            if notice.kind is NoticeKind.CA_EXPIRES
        ]
        for moment in (end - timedelta(days=366), end - timedelta(days=364))
    ]
    assert told == [[], ["issuing"]]
    authority.store.close()


def _at(authority: Authority, moment: datetime) -> Authority:
    return replace(authority, clock=lambda: moment)
