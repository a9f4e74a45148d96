"""Revoked never becomes good again, whatever anybody tries in whatever order; and the CRL says what the store says."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from handfast.ca.authority import Authority
from handfast.ca.issuer import Issuer
from handfast.ca.order import Order
from handfast.ca.policy import Policy
from handfast.ca.records import CertificateRecord, Reason, Role, State
from handfast.errors import Conflict
from handfast.keys.generate import generate_key
from handfast.pki.draft import Holder, draft_certificate, sign_draft
from handfast.pki.issuer_identity import identity_of, self_issuer
from handfast.pki.profile import BUILT_IN
from handfast.pki.subject import parse_subject
from handfast.stores.sqlite import open_store

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
KEY = generate_key()
SUBJECT = parse_subject("CN=Test CA")
DRAFT = draft_certificate(
    BUILT_IN["root"],
    Holder(SUBJECT, (), KEY.public_key()),
    issuer=self_issuer(SUBJECT, KEY.public_key()),
    serial=1 << 158,
    now=NOW,
)
CA = sign_draft(DRAFT, KEY)
ACTIONS = ("revoke", "revoke-superseded", "hold", "release", "crl")


def an_authority() -> Authority:
    ticks = count()
    serials = count((1 << 158) + 1)
    issuer = Issuer(
        name="issuing", role=Role.ISSUING, identity=identity_of(CA), certificate=CA, chain=(), unlock=lambda: KEY
    )
    return Authority(
        issuers={"issuing": issuer},
        default_issuer="issuing",
        profiles=BUILT_IN,
        policy=Policy(),
        store=open_store(":memory:"),
        clock=lambda: NOW + timedelta(milliseconds=next(ticks)),
        new_serial=lambda: next(serials),
    )


def act(authority: Authority, record: CertificateRecord, action: str) -> None:
    if action == "hold":
        authority.hold(record)
    elif action == "release":
        authority.release(record)
    else:
        authority.revoke(record, Reason.SUPERSEDED if action == "revoke-superseded" else Reason.KEY_COMPROMISE)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(ACTIONS)), max_size=14))
def test_revoked_stays_revoked_and_every_crl_agrees(actions: Sequence[tuple[int, str]]) -> None:
    authority = an_authority()
    orders = [
        Order(profile="device", public_key=KEY.public_key(), subject=parse_subject(f"CN=cam-{n}")) for n in range(3)
    ]
    records = [authority.issue(order).record for order in orders]
    gone: set[int] = set()
    published: bytes | None = None
    last: x509.CertificateRevocationList | None = None
    for which, action in (*actions, (0, "crl")):
        if action != "crl":
            try:
                act(authority, records[which], action)
            except Conflict:
                pass
        states = {one.serial: authority.find(f"{one.serial:x}").state(NOW) for one in records}
        assert all(states[serial] is State.REVOKED for serial in gone)
        gone |= {serial for serial, state in states.items() if state is State.REVOKED}
        if action == "crl":
            published = authority.crl()
            crl = x509.load_der_x509_crl(published)
            listed = [entry.serial_number for entry in crl]
            assert sorted(listed) == sorted(s for s, state in states.items() if state in {State.REVOKED, State.HELD})
            assert last is None or (crl.last_update_utc > last.last_update_utc and number_of(crl) > number_of(last))
            last = crl
    authority.store.close()


def number_of(crl: x509.CertificateRevocationList) -> int:
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
