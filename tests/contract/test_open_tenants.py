"""Tenants from the settings: opened with the service, kept apart, and looked after by its jobs, each by itself."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from handfast.ca.order import Order
from handfast.errors import ConfigError, Unavailable
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind
from handfast.pki.subject import parse_subject
from handfast.server.assembly import Parts, open_parts
from handfast.server.founding import Plan, create_authority
from handfast.server.jobs import Tenant, keep_house, of_each, publish
from handfast.server.metrics import Metrics
from handfast.server.service import Service, service_of
from handfast.server.settings import parse_settings
from handfast.server.tenants import open_tenants, unlock_all
from tests.serving import authority_in

KEYS = ("root", "issuing", "audit")
TENANTS = '[tenants]\nacme = "acme"\n'


@contextmanager
def _service(directory: Path) -> Iterator[tuple[Service, list[Mapping[str, object]]]]:
    told: list[Mapping[str, object]] = []
    parts = open_parts(directory, passphrase=no_passphrase)
    tenants: Mapping[str, Parts] = {}
    try:
        tenants = open_tenants(parts, passphrase=no_passphrase)
        yield service_of(parts, tenants=tenants, log=lambda event, **of: told.append({"event": event, **of})), told
    finally:
        for one in (parts, *tenants.values()):
            one.store.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    authority_in(tmp_path / "ca", TENANTS)
    authority_in(tmp_path / "ca" / "acme")
    return tmp_path / "ca"


def test_each_tenant_is_an_authority_of_its_own(directory: Path) -> None:
    with _service(directory) as (service, _):
        own, acme = service.tenant(""), service.tenant("acme")
        assert own.issuer().certificate != acme.issuer().certificate
        unlock_all(service)
        service.reload()
        assert set(service.authorities) == {"", "acme"}
        assert service.tenant("acme").issuer().certificate == acme.issuer().certificate


def test_jobs_look_after_every_tenant_and_say_whose_it_was(directory: Path) -> None:
    with _service(directory) as (service, told):
        key = generate_key(KeyKind.P256)
        for authority in service.authorities.values():
            order = Order(profile="client", public_key=key.public_key(), subject=parse_subject("CN=gone"))
            authority.revoke(authority.issue(order).record)
        publish(service)
        keep_house(service)
        published = {one["tenant"] for one in told if one["event"] == "list.published"}
        assert published == {None, "acme"}


def test_a_tenant_that_fails_keeps_no_other_from_its_turn(directory: Path) -> None:
    with _service(directory) as (service, _):
        done = []

        def do(tenant: Tenant) -> None:
            if not tenant.name:
                raise ConfigError("no passphrase", hint="")
            done.append(tenant.name)

        with pytest.raises(Unavailable, match="no passphrase"):
            of_each(service, do)
        assert done == ["acme"]


def test_metrics_tell_tenants_apart(directory: Path) -> None:
    with _service(directory) as (service, _):
        page = Metrics(service).answer().body.decode()
        assert 'handfast_nearest_ca_days_left{tenant=""}' in page
        assert 'handfast_nearest_ca_days_left{tenant="acme"}' in page


def test_a_tenant_that_is_not_there_is_named(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca", TENANTS)
    with pytest.raises(ConfigError, match="tenant acme: there is no authority in"), _service(tmp_path / "ca"):
        pass


def test_a_copy_of_another_tenant_is_refused(tmp_path: Path) -> None:
    authority_in(tmp_path / "first")
    shutil.copytree(tmp_path / "first", tmp_path / "copy")
    authority_in(tmp_path / "ca", f'[tenants]\nfirst = "{tmp_path}/first"\ncopy = "{tmp_path}/copy"\n')
    same = "tenant copy: it is the same authority as the tenant first"
    with pytest.raises(ConfigError, match=same), _service(tmp_path / "ca"):
        pass


def test_the_service_itself_is_no_tenant_of_its_own(tmp_path: Path) -> None:
    authority_in(tmp_path / "ca", '[tenants]\nacme = "."\n')
    with pytest.raises(ConfigError, match="tenant acme: it has tenants of its own"), _service(tmp_path / "ca"):
        pass


@pytest.mark.parametrize("name", ["Acme", "a/b", "a.b", "-a", "a" * 64, ""])
def test_a_name_that_cannot_be_in_an_address_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no name of a tenant"):
        parse_settings(f'[tenants]\n"{name}" = "x"\n')


def test_each_tenants_keys_may_have_a_passphrase_of_their_own(tmp_path: Path) -> None:
    known = {"root": b"for the first", "issuing": b"for the first", "acme.issuing": b"for the other"}
    asked: list[str] = []

    def source(name: str) -> bytes | None:
        asked.append(name)
        return known.get(name)

    for place, passphrase, settings in (("ca", b"for the first", TENANTS), ("ca/acme", b"for the other", "")):
        plan = Plan(name="Trial", settings=settings)
        create_authority(tmp_path / place, plan, passphrase=dict.fromkeys(KEYS, passphrase).get).store.close()
    parts = open_parts(tmp_path / "ca", passphrase=source)
    tenants = open_tenants(parts, passphrase=source)
    try:
        unlock_all(service_of(parts, tenants=tenants))
        assert asked == ["issuing", "acme.issuing"]
        known.pop("acme.issuing")
        with pytest.raises(ConfigError, match="tenant acme: "):
            unlock_all(service_of(parts, tenants=tenants))
    finally:
        for one in (parts, *tenants.values()):
            one.store.close()
