"""kill -9 while issuing and revoking, then the database is lost: an old backup and the journal bring all of it back."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from handfast.ca.audit import verify_chain
from handfast.ca.records import State
from handfast.keys.passphrase import no_passphrase
from handfast.pki.pem import certificates
from handfast.server.assembly import open_authority, utc_now

HANDFAST = Path(sys.executable).parent / "handfast"
KILLS = int(os.environ.get("HANDFAST_KILLS", "3"))


def handfast(*arguments: str | Path) -> None:
    words = [str(HANDFAST), *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def killed(seconds: float, *arguments: str | Path) -> None:
    words = [str(HANDFAST), *map(str, arguments)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as child:
        time.sleep(seconds)
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait(timeout=60)


def test_every_certificate_in_the_world_and_every_revocation_comes_back(tmp_path: Path) -> None:
    ca, rows, out = tmp_path / "ca", tmp_path / "rows.csv", tmp_path / "out"
    chance = random.Random(KILLS)
    handfast("init", ca, "--no-passphrase")
    handfast("backup", tmp_path / "b.tar", "--ca", ca)
    revoked = []
    for number in range(KILLS):
        rows.write_text("name\n" + "".join(f"cam-{one}\n" for one in range(300 * (number + 1))))
        killed(chance.uniform(0.5, 1.5), "bulk", rows, "--ca", ca, "--out", out, "--jobs", "2")
        name = f"gone-{number}"
        handfast("issue", name, "--profile", "device", "--ca", ca, "--out", tmp_path / name)
        handfast("revoke", name, "--ca", ca)
        revoked.append(certificates((tmp_path / name / "fullchain.pem").read_bytes())[0])
    (ca / "journal").rename(tmp_path / "journal")
    shutil.rmtree(ca)

    handfast("restore", tmp_path / "b.tar", ca, "--journal", tmp_path / "journal")

    authority = open_authority(ca, passphrase=no_passphrase)
    world = [certificates(path.read_bytes())[0] for path in tmp_path.rglob("fullchain.pem")]
    assert all(authority.find_certificate(one).serial == one.serial_number for one in world)
    assert all(authority.find_certificate(one).state(utc_now()) is State.REVOKED for one in revoked)
    assert verify_chain(authority.store.events(limit=1_000_000)) == ()
    authority.store.close()
    # The rows that were begun go on, too: nobody gets a second certificate.
    handfast("bulk", rows, "--ca", ca, "--out", out)
