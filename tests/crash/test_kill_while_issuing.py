"""kill -9 in the middle of issuing: the store knows every certificate in the world, and the next command works.

HANDFAST_KILLS: how often; scripts/crash-issuing does it 200 times.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from cryptography import x509

from handfast.ca.audit import verify_chain
from handfast.ca.records import Listing
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import key_identifier
from handfast.pki.pem import certificates, one_key
from handfast.server.assembly import open_authority, utc_now

KILLS = int(os.environ.get("HANDFAST_KILLS", "12"))
HANDFAST = Path(sys.executable).parent / "handfast"


def command(*arguments: str | Path) -> list[str]:
    return [str(HANDFAST), *map(str, arguments)]


def run(*arguments: str | Path) -> None:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def killed_after(seconds: float, *arguments: str | Path) -> None:
    """Start the command in a group of its own and kill all of it after that time, unless it has ended by itself."""
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as child:
        time.sleep(seconds)
        # Until it is waited for, the number belongs to this child, also when it ended already.
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait(timeout=60)


def received(folder: Path) -> list[x509.Certificate]:
    return [certificates(path.read_bytes())[0] for path in folder.rglob("fullchain.pem")]


def test_no_certificate_in_the_world_is_missing_from_the_store(tmp_path: Path) -> None:
    ca, rows, out = tmp_path / "ca", tmp_path / "rows.csv", tmp_path / "out"
    chance = random.Random(KILLS)
    run("init", ca, "--no-passphrase")
    names = [f"cam-{number}" for number in range(40 * KILLS)]
    for number in range(KILLS):
        rows.write_text("name\n" + "\n".join(names[: 40 * (number + 1)]) + "\n")
        jobs = str(1 + number % 2)
        killed_after(chance.uniform(0.1, 1.2), "bulk", rows, "--ca", ca, "--out", out, "--jobs", jobs)
        one = tmp_path / f"one-{number}"
        killed_after(chance.uniform(0.1, 0.8), "issue", one.name, "--profile", "device", "--ca", ca, "--out", one)
        run("list", "--ca", ca, "--json")
    run("issue", "last", "--profile", "device", "--ca", ca, "--out", tmp_path / "last")
    run("bulk", rows, "--ca", ca, "--out", out)
    run("crl", "--ca", ca)

    authority = open_authority(ca, passphrase=no_passphrase)
    world = received(tmp_path)
    assert len({one.serial_number for one in world}) == len(world)
    assert all(authority.find_certificate(one).serial == one.serial_number for one in world)
    for name in names:
        (certificate, *_) = certificates((out / name / "fullchain.pem").read_bytes())
        key = one_key((out / name / "key.pem").read_bytes())
        assert key_identifier(certificate.public_key()) == key_identifier(key.public_key())
        assert len(authority.store.by_name(name)) == 1
    serials: list[int] = []
    cursor: int | None = None
    while True:
        page = authority.store.search(Listing(now=utc_now(), limit=1000, before=cursor))
        serials += [record.serial for record in page.records]
        cursor = page.cursor
        if cursor is None:
            break
    assert len(serials) == len(set(serials))
    assert verify_chain(authority.store.events(limit=1_000_000)) == ()
    authority.store.close()
