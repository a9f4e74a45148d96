"""Who somebody is, and what follows from it: credentials, roles, and whose certificate is whose."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from handfast.ca.authenticating import Credentials
from handfast.ca.name_patterns import parse_pattern
from handfast.ca.office import Proof
from handfast.ca.policy import OPERATOR, Grant, Policy, Requester
from handfast.ca.records import Pending, Reason
from handfast.errors import ConfigError, Conflict, Denied, NotFound, Unauthenticated
from handfast.keys.generate import generate_key
from handfast.pki.names import parse_names
from handfast.pki.subject import parse_subject
from tests.requesting import CA, World, a_world, order

NEW_KEY = generate_key().public_key()


def by(certificate: x509.Certificate) -> Credentials:
    return Credentials(certificate=certificate)


def renewal(world: World, certificate: x509.Certificate, **changes: Any) -> Requester:
    """Its holder renews it."""
    holder = world.authority.authenticate(by(certificate))
    own = holder.certificate
    assert own is not None
    base = order(
        *(name.value for name in own.names),
        by=holder,
        key=NEW_KEY,
        subject=certificate.subject,
        profile=own.profile,
        replaces=own.serial,
        **changes,
    )
    issued = world.authority.enroll(base)
    return world.authority.authenticate(by(issued.certificate))  # type: ignore[union-attr]  # issued, not pending


# Who is it?


def test_a_secret_proves_who_somebody_is() -> None:
    world = a_world()
    world.add("carol", "administrator", secret="hfr_carol's")
    carol = world.authority.authenticate(Credentials(secret="hfr_carol's"))
    assert (carol.name, carol.grants) == ("carol", frozenset(Grant))
    assert world.authority.authenticate(Credentials(user="carol", secret="hfr_carol's")).name == "carol"


@pytest.mark.parametrize(
    "secret", ["hfr_other", "carol's", "", "hfr_", "hft_carol's", "hfr_carol's " * 1000, "hfr_\udc80"]
)
def test_another_secret_does_not(secret: str) -> None:
    world = a_world()
    world.add("carol", "administrator", secret="hfr_carol's")
    with pytest.raises(Unauthenticated):
        world.authority.authenticate(Credentials(secret=secret))


def test_a_secret_is_good_for_its_own_user_only() -> None:
    world = a_world()
    world.add("carol", "administrator", secret="hfr_carol's")
    with pytest.raises(Unauthenticated):
        world.authority.authenticate(Credentials(user="dave", secret="hfr_carol's"))


def test_nothing_proves_nothing() -> None:
    with pytest.raises(Unauthenticated):
        a_world().authority.authenticate(Credentials())


def test_a_wrong_secret_is_not_made_up_for_by_a_certificate() -> None:
    world = a_world()
    certificate = world.issue("cam.example.org").certificate
    with pytest.raises(Unauthenticated):
        world.authority.authenticate(Credentials(certificate=certificate, secret="hfr_wrong"))


def test_a_certificate_proves_who_somebody_is_by_itself_and_not_by_its_name() -> None:
    world = a_world()
    real = world.issue("carol").certificate
    world.add("carol", "administrator", certificate=real)
    officer = world.add("olga", "registration-officer")
    same_name = world.issue("carol", by=officer, key=NEW_KEY).certificate
    assert world.authority.authenticate(by(real)).name == "carol"
    impostor = world.authority.authenticate(by(same_name))
    assert (impostor.name, impostor.grants) == ("device:carol", frozenset())


def test_what_is_revoked_held_expired_or_foreign_proves_nothing() -> None:
    world = a_world()
    issued = world.issue("carol")
    world.add("carol", "administrator", certificate=issued.certificate)
    with pytest.raises(Unauthenticated, match="did not issue"):
        world.authority.authenticate(by(CA))
    held = world.authority.hold(issued.record)
    with pytest.raises(Unauthenticated, match="held"):
        world.authority.authenticate(by(issued.certificate))
    released = world.authority.release(held)
    assert world.authority.authenticate(by(issued.certificate)).name == "carol"
    world.authority.revoke(released, Reason.KEY_COMPROMISE)
    with pytest.raises(Unauthenticated, match="revoked"):
        world.authority.authenticate(by(issued.certificate))
    other = world.issue("dave").certificate
    world.clock.advance(timedelta(days=4000))
    with pytest.raises(Unauthenticated, match="expired"):
        world.authority.authenticate(by(other))


def test_a_ca_proves_nothing_and_is_nobodys_credential() -> None:
    world = a_world()
    below = world.issue("Below", profile="issuing", names=(), key=NEW_KEY).certificate
    with pytest.raises(Unauthenticated, match="is a CA"):
        world.authority.authenticate(by(below))
    with pytest.raises(Conflict, match="is a CA"):
        world.add("carol", "administrator", certificate=below)


def test_a_removed_requester_is_nobody_at_once() -> None:
    world = a_world()
    world.add("carol", "administrator", secret="hfr_carol's")
    world.authority.office.remove_requester("carol")
    with pytest.raises(Unauthenticated):
        world.authority.authenticate(Credentials(secret="hfr_carol's"))
    with pytest.raises(NotFound):
        world.authority.office.remove_requester("carol")


def test_a_removed_requesters_credential_is_not_the_next_ones_of_that_name() -> None:
    world = a_world()
    world.add("carol", "administrator", secret="hfr_old")
    world.authority.office.remove_requester("carol")
    world.add("carol", "requester", secret="hfr_new")
    with pytest.raises(Unauthenticated):
        world.authority.authenticate(Credentials(secret="hfr_old"))


def test_what_a_removed_requester_left_behind_is_void() -> None:
    world = a_world(approvals={"device": 1})
    ann, bob = world.add("ann", "administrator"), world.add("bob", "requester", profiles=None)
    world.authority.office.make_token("hft_ann", "device", ["cam.example.org"], by=ann)
    waiting = world.authority.enroll(order("cam.example.org", by=bob))
    assert isinstance(waiting, Pending)
    world.authority.approve(waiting.transaction, ann)
    world.authority.office.remove_requester("ann")
    with pytest.raises(Unauthenticated):
        world.authority.authenticate(Credentials(secret="hft_ann"))
    assert isinstance(world.authority.enroll(order("cam.example.org", by=bob)), Pending), "her approval counts no more"
    world.authority.office.remove_requester("bob")
    assert world.authority.pending() == ()


def test_a_credential_has_one_owner() -> None:
    world = a_world()
    certificate = world.issue("carol").certificate
    world.add("carol", "administrator", certificate=certificate)
    with pytest.raises(Conflict):
        world.add("dave", "requester", certificate=certificate)
    with pytest.raises(Conflict):
        world.authority.office.add_credential("carol", Proof(certificate=certificate))
    with pytest.raises(NotFound):
        world.authority.office.add_credential("nobody", Proof(secret="hfr_x"))


@pytest.mark.parametrize("name", ["", "operator", "service", "token:1", "device:x", "a b", "-x", "x" * 65, "ä"])
def test_a_name_that_could_be_mistaken_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        a_world().add(name, "requester")


def test_a_requester_needs_something_to_prove_itself_by_and_profiles_that_exist() -> None:
    world = a_world()
    with pytest.raises(ConfigError):
        world.authority.office.add_credential("carol", Proof())
    with pytest.raises(ConfigError):
        world.authority.office.add_credential("carol", Proof(secret="short"))
    with pytest.raises(ConfigError):
        world.add("dave", "requester", profiles=frozenset({"sever"}))


# What may it do?


def test_a_requester_gets_its_names_and_profiles_and_no_others() -> None:
    world = a_world()
    web = world.add("web", "requester", profiles=frozenset({"device"}), patterns=("*.web.example.org",))
    assert world.issue("a.web.example.org", by=web).record.requester == "web"
    with pytest.raises(Denied, match="dns:b"):
        world.issue("a.web.example.org", "b.example.org", by=web)
    with pytest.raises(Denied, match="subject"):
        world.issue("a.web.example.org", by=web, subject=parse_subject("CN=admin"))
    with pytest.raises(Denied, match="subject"):
        world.issue("a.web.example.org", by=web, subject=parse_subject("CN=a.web.example.org,O=Admins"))
    with pytest.raises(Denied, match="profile server"):
        world.issue("a.web.example.org", by=web, profile="server")


@pytest.mark.parametrize("role", ["approver", "auditor"])
def test_who_approves_or_audits_gets_no_certificates(role: str) -> None:
    world = a_world()
    with pytest.raises(Denied):
        world.issue("cam.example.org", by=world.add("x", role))


def test_the_names_of_the_profile_bind_everybody() -> None:
    world = a_world(allowed={"device": ("*.example.org",)})
    officer = world.add("olga", "registration-officer")
    assert world.issue("cam.example.org", by=officer)
    with pytest.raises(Denied):
        world.issue("cam.example.com", by=officer)


def test_only_an_administrator_makes_requesters() -> None:
    world = a_world()
    admin = world.add("carol", "administrator")
    officer = world.add("olga", "registration-officer")
    record = world.authority.store.requesters.find("olga")
    assert record is not None
    with pytest.raises(Denied):
        world.authority.office.remove_requester("carol", by=officer)
    with pytest.raises(Denied):
        world.authority.office.add_credential("carol", Proof(secret="hfr_mine"), by=officer)
    with pytest.raises(Denied):
        world.authority.office.requesters(by=officer)
    world.authority.office.remove_requester("olga", by=admin)


# Renewing


def test_a_device_renews_itself_as_it_is() -> None:
    world = a_world()
    old = world.issue("cam.example.org", by=world.add("web", "requester", profiles=None))
    renewed = renewal(world, old.certificate)
    assert renewed.certificate is not None
    assert (renewed.name, renewed.certificate.replaces) == ("device:cam.example.org", old.record.serial)
    assert renewed.certificate.requester == "web", "it stays on the account of whom it was issued to"


@pytest.mark.parametrize(
    "changes",
    [
        {"names": parse_names(["cam.example.org", "other.example.org"])},
        {"names": ()},
        {"subject": parse_subject("CN=other.example.org")},
        {"subject": parse_subject("CN=cam.example.org,O=Admins")},
        {"profile": "server"},
        {"replaces": None},
    ],
)
def test_a_device_gets_nothing_else(changes: dict[str, Any]) -> None:
    world = a_world()
    old = world.issue("cam.example.org").certificate
    device = world.authority.authenticate(by(old))
    assert device.certificate is not None
    wanted = {"replaces": device.certificate.serial, **changes}
    with pytest.raises(Denied):
        world.authority.enroll(order("cam.example.org", by=device, key=NEW_KEY, **wanted))


def test_a_device_renews_no_other_device() -> None:
    world = a_world()
    other = world.issue("cam.example.org", key=NEW_KEY).record
    device = world.authority.authenticate(by(world.issue("cam.example.org").certificate))
    with pytest.raises(Denied):
        world.authority.enroll(order("cam.example.org", by=device, replaces=other.serial))
    with pytest.raises(Denied):
        world.authority.revoke(other, requester=device)


def test_what_was_revoked_since_it_was_authenticated_is_not_renewed() -> None:
    world = a_world()
    old = world.issue("cam.example.org")
    device = world.authority.authenticate(by(old.certificate))
    world.authority.revoke(old.record)
    with pytest.raises(Conflict, match="revoked"):
        world.authority.enroll(order("cam.example.org", by=device, replaces=old.record.serial))


def test_names_that_the_profile_no_longer_allows_are_not_renewed() -> None:
    world = a_world()
    issued = world.issue("cam.example.org")
    device = world.authority.authenticate(by(issued.certificate))
    stricter = replace(world.authority, policy=Policy({"device": (parse_pattern("*.example.com"),)}))
    with pytest.raises(Denied, match="may not certify"):
        stricter.enroll(order("cam.example.org", by=device, replaces=issued.record.serial))


def test_a_credential_stays_with_its_holder_when_it_is_renewed() -> None:
    world = a_world()
    old = world.issue("carol").certificate
    world.add("carol", "administrator", certificate=old)
    assert renewal(world, old).name == "carol"


def test_what_the_person_at_the_machine_renews_stays_a_credential_too() -> None:
    world = a_world()
    old = world.issue("carol")
    world.add("carol", "administrator", certificate=old.certificate)
    renewed = world.authority.renew(old.record)
    assert world.authority.authenticate(by(renewed.certificate)).name == "carol"


def test_an_officer_neither_renews_nor_rekeys_nor_revokes_how_an_administrator_proves_itself() -> None:
    world = a_world()
    real = world.issue("carol")
    world.add("carol", "administrator", certificate=real.certificate)
    officer = world.add("olga", "registration-officer")
    for attempt in (
        lambda: world.authority.renew(real.record, requester=officer),
        lambda: world.authority.rekey(real.record, NEW_KEY, requester=officer),
        lambda: world.authority.revoke(real.record, requester=officer),
        lambda: world.authority.hold(real.record, requester=officer),
        lambda: world.issue("carol", by=officer, key=NEW_KEY, replaces=real.record.serial),
    ):
        with pytest.raises(Denied, match="carol"):
            attempt()
    assert world.authority.authenticate(by(real.certificate)).name == "carol"


def test_an_officer_renews_what_is_no_credential_and_takes_no_credential_over() -> None:
    world = a_world()
    officer = world.add("olga", "registration-officer")
    device = world.issue("cam.example.org")
    assert world.authority.renew(device.record, requester=officer).record.replaces == device.record.serial
    web_certificate = world.issue("web")
    world.add("web", "requester", certificate=web_certificate.certificate, profiles=None)
    taken = world.authority.rekey(web_certificate.record, NEW_KEY, requester=officer)
    assert world.authority.authenticate(by(taken.certificate)).name == "device:web"


def test_a_requester_revokes_its_own_and_not_anothers() -> None:
    world = a_world()
    web = world.add("web", "requester", profiles=None)
    mine, other = world.issue("a.example.org", by=web).record, world.issue("b.example.org").record
    assert world.authority.revoke(mine, requester=web).revocation
    with pytest.raises(Denied):
        world.authority.revoke(other, requester=web)


def test_who_may_not_even_read_is_told_so_on_record() -> None:
    world = a_world()
    auditor = world.add("alan", "auditor")
    with pytest.raises(Denied):
        world.issue("cam.example.org", by=auditor)
    events = world.authority.store.events(limit=1000)
    assert [event.action for event in events] == ["requester.added", "certificate.refused"]
    assert (events[-1].actor, events[-1].detail["error"]) == ("alan", "Denied")


def test_the_operator_is_bound_by_nothing_but_the_profile() -> None:
    world = a_world(approvals={"device": 2})
    assert world.issue("cam.example.org", by=OPERATOR).certificate
