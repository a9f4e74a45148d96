"""openssl verifies each of a row of lists made one upon the other, and refuses whom they name and nobody else."""

from datetime import timedelta
from pathlib import Path

import pytest

from handfast.ca import list_entries
from handfast.ca.records import CertificateRecord, Reason
from handfast.pki.pem import to_pem
from tests.interop.test_openssl_revocation import openssl
from tests.publishing_world import CA, FULL, World

DAY = timedelta(days=1)


def refused(world: World, folder: Path, records: dict[str, CertificateRecord]) -> set[str]:
    """Of the certificates, those that openssl refuses as revoked, by the list that is published now."""
    published = world.store.publications.get(FULL)
    assert published is not None
    (folder / "ca.pem").write_text(to_pem(CA))
    (folder / "list.crl").write_bytes(published.der)
    read: list[str | Path] = ["-in", folder / "list.crl", "-inform", "DER"]
    signed = openssl("crl", *read, "-noout", "-verify", "-CAfile", folder / "ca.pem")
    assert "verify OK" in signed.stderr, signed.stderr
    assert openssl("crl", *read, "-out", folder / "list.pem").returncode == 0
    at = f"{world.now.timestamp():.0f}"
    by: list[str | Path] = ["-crl_check", "-attime", at, "-CRLfile", folder / "list.pem", "-CAfile", folder / "ca.pem"]
    found = set()
    for name, record in records.items():
        certificate = record.x509()
        assert certificate is not None
        (folder / f"{name}.pem").write_text(to_pem(certificate))
        told = openssl("verify", *by, folder / f"{name}.pem")
        assert told.returncode == 0 or "certificate revoked" in told.stderr, told.stderr
        if told.returncode:
            found.add(name)
    return found


def test_each_list_upon_the_one_before_refuses_whom_the_store_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_entries, "PIECE", 100)
    world = World()
    names = ("good", "held", "freed", "hardened", "revoked")
    records = {name: world.authority.find(f"{world.issue(60 * DAY).serial:x}") for name in names}
    for record in (world.issue() for _ in range(20)):
        world.authority.hold(record)
    world.authority.publish(FULL)
    for name in ("held", "freed", "hardened"):
        world.authority.hold(records[name])
    world.authority.publish(FULL)
    assert refused(world, tmp_path, records) == {"held", "freed", "hardened"}

    world.now += DAY
    world.authority.release(records["freed"])
    world.authority.revoke(records["hardened"], Reason.KEY_COMPROMISE)
    world.authority.revoke(records["revoked"], Reason.SUPERSEDED)
    made = world.authority.publish(FULL)

    assert made.record.full_at < world.now
    assert refused(world, tmp_path, records) == {"held", "hardened", "revoked"}
