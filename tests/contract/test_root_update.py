"""A new root beside the old one: what is made, in which order, what it is bound by, and who is refused."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from handfast.ca.authority import Authority
from handfast.ca.crossing import ca_certificates, valid_crosses
from handfast.ca.order import Order
from handfast.ca.records import CertificateRecord, Listing, Reason, Role
from handfast.errors import ConfigError, Conflict, Unavailable
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.draft import Holder, draft_certificate, sign_draft
from handfast.pki.issuer_identity import identity_of
from handfast.pki.keys import KeyKind, PrivateKey, key_identifier
from handfast.pki.oids import CLIENT_AUTH
from handfast.pki.pem import certificates as certificates_in
from handfast.pki.profile import BUILT_IN
from handfast.pki.subject import parse_subject
from handfast.prove.gather import Sources, gather, sources_for
from handfast.server import root_update
from handfast.server.adopting import adopt
from handfast.server.assembly import assemble, open_parts
from handfast.server.founding import Plan, add_issuing, create_authority
from handfast.server.layout import write_certificates
from handfast.server.root_update import Crosses, RootUpdate, add_new_root, root_to_replace
from handfast.server.service import service_of
from tests.est_world import ask
from tests.est_world import certificates_in as certificates_of

DAY, YEAR = timedelta(days=1), timedelta(days=365)
NOW = datetime(2026, 11, 26, 12, 0, 0, 123456, UTC)
PLAN = Plan(name="Test")


class World:
    """An authority in a directory, at a moment that a test moves on."""

    def __init__(self, directory: Path) -> None:
        self.now = NOW
        self.directory = directory
        create_authority(directory, PLAN, passphrase=no_passphrase, clock=lambda: self.now).store.close()
        self.parts = open_parts(directory, passphrase=no_passphrase, clock=lambda: self.now)

    @property
    def authority(self) -> Authority:
        return assemble(self.parts)

    def new_root(self, name: str = "root-2", **plan: object) -> RootUpdate:
        old = root_to_replace(self.authority, None)
        return add_new_root(self.parts, replace(PLAN, **plan), name=name, replaces=old)  # type: ignore[arg-type]  # of Plan

    def crosses(self, name: str = "root-2", **plan: object) -> Crosses:
        made = self.new_root(name, **plan).crosses
        assert made is not None
        return made

    def record_of(self, certificate: x509.Certificate) -> CertificateRecord:
        return self.authority.find_certificate(certificate)

    def revoke(self, certificate: x509.Certificate) -> None:
        self.authority.revoke(self.record_of(certificate), Reason.SUPERSEDED)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "ca")
    yield made
    made.parts.store.close()


def leaf_below(authority: Authority, issuer: str) -> tuple[x509.Certificate, ...]:
    """A certificate and what its holder sends after it."""
    order = Order(
        profile="client", public_key=generate_key().public_key(), subject=parse_subject("CN=alice"), issuer=issuer
    )
    issued = authority.issue(order)
    return issued.certificate, *issued.chain


def test_each_root_certifies_the_name_and_the_key_of_the_other(world: World) -> None:
    old = world.authority.issuer("root").certificate
    made = world.new_root(key_kind=KeyKind.P384)
    new, crosses = made.root.certificate, made.crosses
    assert crosses is not None
    for cross, subject, signer in ((crosses.new_with_old, new, old), (crosses.old_with_new, old, new)):
        cross.verify_directly_issued_by(signer)
        assert cross.subject.public_bytes() == subject.subject.public_bytes()
        assert cross.public_key() == subject.public_key()
        own = cross.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        assert own == subject.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    new.verify_directly_issued_by(new)
    assert new.subject != old.subject
    assert made.root.role is Role.ROOT


def test_all_three_are_on_record_and_in_the_audit_log(world: World) -> None:
    before = world.parts.store.last_event_id()
    made = world.new_root()
    assert made.crosses is not None
    records = [
        world.record_of(one) for one in (made.root.certificate, made.crosses.new_with_old, made.crosses.old_with_new)
    ]
    assert [(one.profile, one.issuer) for one in records] == [
        ("root", "root-2"),
        ("cross", "root"),
        ("cross", "root-2"),
    ]
    events = world.parts.store.events(after=before)
    assert [(one.action, one.serial) for one in events] == [
        *(("certificate.issued", one.serial) for one in records),
        ("issuer.added", None),
    ]


def test_neither_outlives_its_signer_nor_the_root_that_it_is_of(world: World) -> None:
    old = world.authority.issuer("root").certificate
    short = world.new_root("short", root_lifetime=3 * YEAR)
    long = world.new_root("long", root_lifetime=30 * YEAR)
    for made, sooner in ((short, short.root.certificate), (long, old)):
        assert made.crosses is not None
        for cross in (made.crosses.new_with_old, made.crosses.old_with_new):
            assert cross.not_valid_after_utc == sooner.not_valid_after_utc
            assert cross.not_valid_before_utc >= max(
                old.not_valid_before_utc if cross.issuer == old.subject else made.root.certificate.not_valid_before_utc,
                NOW - timedelta(minutes=6),
            )
            assert world.record_of(cross).not_after == cross.not_valid_after_utc


def test_new_issuing_cas_are_below_the_newest_root_unless_another_is_named(world: World) -> None:
    world.new_root()
    assert add_issuing(world.parts, PLAN, name="second").anchor.subject == parse_subject("CN=Test Root CA root-2")
    assert add_issuing(world.parts, PLAN, name="third", parent="root").anchor.subject == parse_subject(
        "CN=Test Root CA"
    )
    assert world.authority.default_issuer == "third"


def test_holders_send_the_cross_certificate_of_their_root_along(world: World) -> None:
    crosses = world.crosses()
    add_issuing(world.parts, PLAN, name="second")
    authority = world.authority
    assert leaf_below(authority, "issuing")[1:] == (authority.issuer("issuing").certificate, crosses.old_with_new)
    assert leaf_below(authority, "second")[1:] == (authority.issuer("second").certificate, crosses.new_with_old)
    write_certificates(world.directory, authority)
    written = (world.directory / "certificates" / "crosses.pem").read_bytes()
    assert set(certificates_in(written)) == {crosses.new_with_old, crosses.old_with_new}


def test_a_server_is_given_both_roots_to_trust_and_no_cross_certificate(world: World) -> None:
    world.crosses()
    write_certificates(world.directory, world.authority)
    unnamed = Sources(Path(), Path(), (), ())
    sources = sources_for("www.example.org", world.directory, unnamed)
    material = gather(sources, (), NOW, needs_crls=False, needs_server=False)
    issuers = world.authority.issuers
    assert set(certificates_in(material.anchors.encode())) == {issuers[one].certificate for one in ("root", "root-2")}
    assert set(certificates_in(material.cas.encode())) == {one.certificate for one in issuers.values()}


def test_of_several_cross_certificates_the_newest_is_sent(world: World) -> None:
    world.crosses("root-2")
    third = world.new_root("root-3").crosses
    assert third is not None
    assert world.authority.issuer("issuing").presented_chain[1:] == (third.old_with_new,)


def test_est_gives_roots_crosses_and_issuing_cas_each_once(world: World) -> None:
    crosses = world.crosses()
    add_issuing(world.parts, PLAN, name="second")
    own = {one.certificate for one in world.authority.issuers.values()}
    given = certificates_of(ask(world.authority, "cacerts"))
    assert set(given) == own | {crosses.new_with_old, crosses.old_with_new}
    assert len(given) == 6


def test_est_gives_nothing_that_was_revoked_or_has_ended(world: World) -> None:
    crosses = world.crosses(root_lifetime=3 * YEAR)
    new_root = world.authority.issuer("root-2").certificate
    second = add_issuing(world.parts, PLAN, name="second").certificate
    authority = world.authority
    world.revoke(crosses.new_with_old)
    assert set(certificates_of(ask(authority, "cacerts"))) == {
        *(one.certificate for one in authority.issuers.values()),
        crosses.old_with_new,
    }
    world.revoke(second)
    assert second not in ca_certificates(authority)
    world.revoke(new_root)
    assert {new_root, crosses.old_with_new}.isdisjoint(ca_certificates(authority))
    world.now = new_root.not_valid_after_utc + DAY
    assert set(ca_certificates(authority)) == {authority.issuer(name).certificate for name in ("root", "issuing")}


def test_est_gives_no_certificate_that_only_looks_like_a_cross(world: World) -> None:
    world.crosses()
    stranger = Order(
        profile="cross",
        public_key=generate_key().public_key(),
        subject=parse_subject("CN=Test Root CA root-2"),
        issuer="root",
    )
    issued = world.authority.issue(stranger).certificate
    assert issued in valid_crosses(world.parts.store, world.now)
    assert issued not in ca_certificates(world.authority)
    assert all(issued not in one.crosses for one in world.authority.issuers.values())


def test_a_service_that_runs_sends_no_cross_certificate_along_that_is_not_valid_any_more(world: World) -> None:
    service = service_of(world.parts)
    crosses = world.crosses(root_lifetime=3 * YEAR)
    service.reload()
    add_issuing(world.parts, PLAN, name="second")
    service.reload()
    assert leaf_below(service.authority, "second")[2:] == (crosses.new_with_old,)
    memory = service.authority.ocsp_memory
    world.revoke(crosses.new_with_old)
    service.take_crosses("")
    assert leaf_below(service.authority, "second")[2:] == ()
    assert leaf_below(service.authority, "issuing")[2:] == (crosses.old_with_new,)
    world.now = crosses.old_with_new.not_valid_after_utc + DAY
    service.take_crosses("")
    assert leaf_below(service.authority, "issuing")[2:] == ()
    assert service.authority.ocsp_memory is memory


def killed(*_: object, **__: object) -> None:
    raise Unavailable("the machine is gone", hint="")


def test_an_attempt_that_was_interrupted_is_finished_and_not_made_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(root_update, "register", killed)
        with pytest.raises(Unavailable):
            world.new_root()
    assert "root-2" not in world.authority.issuers
    assert world.authority.issuer("issuing").crosses == ()
    assert len(ca_certificates(world.authority)) == 2
    signed = world.parts.store.certificate_count()

    made = world.new_root()

    assert world.parts.store.certificate_count() == signed
    assert made.crosses is not None
    assert set(valid_crosses(world.parts.store, world.now)) == {made.crosses.new_with_old, made.crosses.old_with_new}


def test_what_was_left_of_one_that_was_to_stand_alone_does_not_stand_for_one_with_crosses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(root_update, "register", killed)
        with pytest.raises(Unavailable):
            add_new_root(world.parts, PLAN, name="root-2", replaces=None)

    made = world.new_root()

    assert made.crosses is not None
    assert made.crosses.old_with_new.issuer == made.root.certificate.subject
    assert made.crosses.new_with_old.public_key() == made.root.certificate.public_key()


def test_nothing_is_signed_when_nothing_can_be_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise Unavailable("the disk is full", hint="")

    monkeypatch.setattr(type(world.parts.store), "begin", full)
    with pytest.raises(Unavailable):
        world.new_root()
    assert world.parts.store.search(Listing(now=world.now, issuer="root-2")).records == ()
    assert "root-2" not in world.authority.issuers


def test_one_that_stands_alone_needs_no_other_key(world: World) -> None:
    (world.directory / "keys" / "root.key").unlink()
    with pytest.raises(ConfigError, match="needs the key root"):
        world.new_root()
    assert world.parts.keys.names() == ("audit", "issuing")
    made = add_new_root(world.parts, PLAN, name="root-2", replaces=None)
    assert made.crosses is None
    assert valid_crosses(world.parts.store, world.now) == ()


@pytest.mark.parametrize("name", ["root", "issuing", "../x", "audit", "crosses", "chain", "anchors", ""])
def test_a_name_that_is_taken_or_no_name_is_refused(world: World, name: str) -> None:
    with pytest.raises((Conflict, ConfigError), match=r"already|cannot be the name"):
        world.new_root(name)


def self_signed(
    subject: str, *limits: x509.ExtensionType, path_length: int | None = None
) -> tuple[x509.Certificate, PrivateKey]:
    """A root that was made elsewhere, and its key. It names itself by another method than handfast's (RFC 5280)."""
    key, name = generate_key(), parse_subject(subject)
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), 77)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 20 * YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    for limit in limits:
        builder = builder.add_extension(limit, critical=True)
    return builder.sign(key, SHA256()), key


def test_a_subject_that_another_ca_has_is_refused(world: World) -> None:
    certificate, key = self_signed("CN=Test Root CA root-2")
    adopt(world.parts, "elsewhere", [certificate], key)
    with pytest.raises(Conflict, match="there is a CA CN=Test Root CA root-2 already"):
        add_new_root(world.parts, PLAN, name="root-2", replaces=None)
    assert "root-2" not in world.parts.keys.names()


def test_a_root_that_was_brought_along_with_its_key_is_replaced_under_its_own_key_identifier(world: World) -> None:
    certificate, key = self_signed("CN=Old Root,EMAIL=ca@example.org")
    adopt(world.parts, "elsewhere", [certificate], key)
    crosses = world.crosses()
    assert crosses.new_with_old.issuer == certificate.subject
    assert crosses.old_with_new.subject.public_bytes() == certificate.subject.public_bytes()
    kept = crosses.old_with_new.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert kept == x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    assert kept.digest != key_identifier(key.public_key())
    assert leaf_below(world.authority, "elsewhere")[1:] == (crosses.old_with_new,)


@pytest.mark.parametrize(
    ("limits", "path_length", "words"),
    [
        ((x509.NameConstraints([x509.DNSName("example.org")], None),), None, "limited by NameConstraints"),
        ((x509.ExtendedKeyUsage([CLIENT_AUTH]),), None, "limited by ExtendedKeyUsage"),
        ((), 1, "limited by a path length of 1"),
    ],
)
def test_the_limits_of_a_root_are_not_lifted(
    world: World, limits: tuple[x509.ExtensionType, ...], path_length: int | None, words: str
) -> None:
    certificate, key = self_signed("CN=Old Root", *limits, path_length=path_length)
    adopt(world.parts, "elsewhere", [certificate], key)
    with pytest.raises(ConfigError, match=words):
        world.new_root()
    assert "root-2" not in world.parts.keys.names()


def below_of(root: x509.Certificate, root_key: PrivateKey) -> tuple[x509.Certificate, PrivateKey]:
    """An issuing CA below that root, and its key."""
    key = generate_key()
    holder = Holder(parse_subject("CN=Ours"), (), key.public_key())
    draft = draft_certificate(BUILT_IN["issuing"], holder, issuer=identity_of(root), serial=78, now=NOW)
    return sign_draft(draft, root_key), key


def test_a_root_whose_key_somebody_else_has_is_not_replaced(world: World) -> None:
    root, key = self_signed("CN=Their Root")
    below, below_key = below_of(root, key)
    adopt(world.parts, "ours", [below, root], below_key)
    with pytest.raises(
        ConfigError, match="the root above ours is CN=Their Root, whose key is not kept here"
    ) as refused:
        world.new_root()
    assert "--alone" in refused.value.hint
    assert add_new_root(world.parts, PLAN, name="own", replaces=None).crosses is None


def test_what_is_no_root_replaces_none(world: World) -> None:
    for name, words in (("issuing", "is no root"), ("nobody", "there is no issuer 'nobody'")):
        with pytest.raises(ConfigError, match=words):
            add_new_root(world.parts, PLAN, name="root-2", replaces=root_to_replace(world.authority, name))
    assert "root-2" not in world.parts.keys.names()


def test_a_root_that_has_ended_is_replaced_by_one_that_stands_alone(world: World) -> None:
    world.now += 21 * YEAR
    with pytest.raises(ConfigError, match="ended on 2046") as refused:
        world.new_root()
    assert "--alone" in refused.value.hint
