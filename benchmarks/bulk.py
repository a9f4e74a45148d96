"""Bulk issue of P-256 devices: key, CSR, certificate, files and record, all durable.

Beside the bare cryptography loop that writes the same files with the same durability, and beside the
commands that one would put in a shell loop. The bar: 80 % of the bare loop, and ahead of the commands."""

import os
import shutil
import sys
from pathlib import Path

from benchmarks._measure import Cost, cost_of, handfast
from benchmarks._report import Table

BARE = Path(__file__).parent / "_bare.py"


def measure(folder: Path, *, quick: bool) -> list[Table]:
    """Devices a second, on one core and on all."""
    devices = 200 if quick else 10_000
    single = 10 if quick else 200
    table = Table(
        f"{devices:,} P-256 devices", ("who", "cores", "devices", "a second", "CPU ms each", "of the bare loop", "MiB")
    )
    cores = os.cpu_count() or 1
    for label, jobs in (("1", 1), (f"all {cores}", cores)):
        bare = cost_of(
            [sys.executable, str(BARE), str(folder / f"bare-{jobs}"), str(devices), str(jobs)], one_core=jobs == 1
        )
        ours = ours_in_bulk(folder / f"ours-{jobs}", devices, jobs)
        add(table, "bare cryptography loop", label, devices, bare, bare)
        add(table, "handfast bulk", label, devices, ours, bare)
    for name, command in RIVALS.items():
        if shutil.which(command) is None:
            table.notes.append(f"{command} is not on PATH: not measured.")
            continue
        rival = globals()[f"by_{command}"](folder / command, single)
        add(table, name, "1", single, rival, None)
    return [table]


RIVALS = {"openssl ca, in a loop": "openssl", "certtool, in a loop": "certtool", "mkcert, in a loop": "mkcert"}


def add(table: Table, who: str, cores: str, count: int, cost: Cost, bare: Cost | None) -> None:
    """One row; the last but one column is the speed as a share of the bare loop's."""
    share = f"{bare.wall / cost.wall:.0%}" if bare else ""
    table.add(
        who,
        cores,
        f"{count:,}",
        f"{count / cost.wall:,.0f}",
        f"{cost.cpu * 1000 / count:.2f}",
        share,
        f"{cost.peak:.0f}",
    )


def ours_in_bulk(folder: Path, devices: int, jobs: int) -> Cost:
    """`handfast bulk` from a CSV, into a new authority."""
    folder.mkdir()
    ca = str(folder / "ca")
    cost_of(handfast("init", ca, "--no-passphrase", "--name", "Benchmark"))
    rows = "".join(f"device-{number:06}\n" for number in range(devices))
    (folder / "devices.csv").write_text("name\n" + rows)
    out = str(folder / "out")
    command = handfast("bulk", "--ca", ca, str(folder / "devices.csv"), "--profile", "device", "--out", out)
    return cost_of([*command, "--jobs", str(jobs)], one_core=jobs == 1)


OPENSSL_CONFIGURATION = """
[ca]
default_ca = here
[here]
dir = .
database = index.txt
new_certs_dir = new
certificate = ca.pem
private_key = ca.key
rand_serial = yes
default_md = sha256
default_days = 90
policy = any
unique_subject = no
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


def by_openssl(folder: Path, count: int) -> Cost:
    """Key and request by `openssl req`, certificate by `openssl ca`: what the walk-throughs say."""
    (folder / "new").mkdir(parents=True)
    (folder / "index.txt").touch()
    (folder / "ca.cnf").write_text(OPENSSL_CONFIGURATION)
    key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    cost_of(["sh", "-c", f"openssl req -x509 {key} -keyout ca.key -out ca.pem -subj /CN=ca"], directory=folder)
    each = (
        f"openssl req -new {key} -keyout $i.key -out $i.csr -subj /CN=device-$i 2>/dev/null && "
        " openssl ca -batch -notext -config ca.cnf -in $i.csr -out $i.pem 2>/dev/null"
    )
    return cost_of(
        ["sh", "-e", "-c", f"i=0; while [ $i -lt {count} ]; do {each}; i=$((i+1)); done"],
        directory=folder,
        one_core=True,
    )


def by_certtool(folder: Path, count: int) -> Cost:
    """GnuTLS: `certtool --generate-privkey` and `--generate-certificate`."""
    folder.mkdir()
    (folder / "ca.cfg").write_text("cn = ca\nca\ncert_signing_key\nexpiration_days = 3650\n")
    (folder / "leaf.cfg").write_text("cn = device\ntls_www_client\nsigning_key\nexpiration_days = 90\n")
    key = "certtool --generate-privkey --key-type ecdsa --curve secp256r1 --outfile"
    cost_of(
        [
            "sh",
            "-e",
            "-c",
            f"{key} ca.key; certtool --generate-self-signed --load-privkey ca.key --template ca.cfg --outfile ca.pem",
        ],
        directory=folder,
    )
    each = (
        f"{key} $i.key 2>/dev/null; certtool --generate-certificate --load-privkey $i.key --load-ca-certificate ca.pem "
        "--load-ca-privkey ca.key --template leaf.cfg --outfile $i.pem 2>/dev/null"
    )
    return cost_of(
        ["sh", "-e", "-c", f"i=0; while [ $i -lt {count} ]; do {each}; i=$((i+1)); done"],
        directory=folder,
        one_core=True,
    )


def by_mkcert(folder: Path, count: int) -> Cost:
    """mkcert, one call each, with a CA of its own."""
    folder.mkdir()
    each = f"CAROOT={folder} mkcert -ecdsa -client -cert-file $i.pem -key-file $i.key device-$i 2>/dev/null"
    return cost_of(
        ["sh", "-e", "-c", f"i=0; while [ $i -lt {count} ]; do {each}; i=$((i+1)); done"],
        directory=folder,
        one_core=True,
    )
