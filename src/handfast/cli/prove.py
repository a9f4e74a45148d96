"""Prove a server by real handshakes: who is let in, and who not."""

import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from handfast.cli._options import examples, json_option, no_authority
from handfast.cli._output import print_json, print_table
from handfast.cli._progress import progress_line
from handfast.errors import ConfigError
from handfast.prove.matrix import Row

SECTION = "Servers and clients"


@click.command(
    epilog=examples(
        "handfast prove",
        "handfast prove nginx",
        "handfast prove nginx --rehearse",
        "handfast prove --against localhost:8443 --root root.pem --cert alice.pem --key alice.key",
    )
)
@click.argument("targets", nargs=-1, metavar="[TARGET…]")
@click.option("--rehearse", is_flag=True, help="Give it broken CRLs too: truncated, empty, expired, forged, older.")
@click.option("--against", metavar="HOST:PORT", help="A server that runs already, seen from outside.")
@click.option("--root", metavar="FILE", help="With --against: what the server's certificate comes from.")
@click.option("--cert", metavar="FILE", help="With --against: a certificate that it must let in.")
@click.option("--key", metavar="FILE", help="With --against: the key of --cert.")
@click.option("--revoked-cert", metavar="FILE", help="With --against: a certificate that was revoked.")
@click.option("--revoked-key", metavar="FILE", help="With --against: the key of --revoked-cert.")
@no_authority("leave it out; a server that runs is named with --against HOST:PORT")
@json_option
def command(
    targets: tuple[str, ...],
    rehearse: bool,
    against: str | None,
    root: str | None,
    cert: str | None,
    key: str | None,
    revoked_cert: str | None,
    revoked_key: str | None,
    as_json: bool,
) -> int:
    """Prove a server by real handshakes.

    Each TARGET's real program is started on loopback with throw-away certificates, and everybody who may come and
    everybody who may not comes, each under TLS 1.2 and 1.3: one row each, expected beside observed. The exit status
    is 1 when anything is not as expected. Without TARGET: a list of what can be proven here.
    """
    if against:
        return _against(against, root, (cert, key), (revoked_cert, revoked_key), as_json)
    if root or cert or key or revoked_cert or revoked_key:
        raise ConfigError("--root, --cert and --key go with --against", hint="name the server: --against HOST:PORT")
    if not targets:
        return _list(as_json)
    return _prove(targets, rehearse, as_json)


def _prove(names: tuple[str, ...], rehearse: bool, as_json: bool) -> int:
    from handfast.prove.find import program_of
    from handfast.prove.matrix import Proof
    from handfast.prove.rehearsal import Rehearsal
    from handfast.prove.throw_away import throw_away_pki

    found = [program_of(name) for name in names]
    pki = throw_away_pki(lambda: datetime.now(UTC))
    results = []
    with tempfile.TemporaryDirectory(prefix="hf-") as directory, progress_line() as report:
        # The programs' own users must be able to pass.
        Path(directory).chmod(0o755)
        for target, program in found:
            where = Path(directory) / target.name
            proof = Proof(target, program, pki, where, pki.revoke, partial(report, target.name))
            results.append((target.title, proof.rows()))
            if rehearse:
                report(target.name, "broken CRLs")
                rehearsal = Rehearsal(target, program, pki, Path(directory) / f"{target.name}-crl")
                results.append((f"{target.title}: broken CRLs", rehearsal.rows()))
    return show(results, as_json)


def show(results: list[tuple[str, tuple[Row, ...]]], as_json: bool) -> int:
    """Print the matrices; the exit status."""
    from handfast.prove.table import matrix_json, matrix_text

    if as_json:
        print_json([matrix_json(title, rows) for title, rows in results])
    else:
        click.echo(
            "\n".join(matrix_text(title, rows, coloured=sys.stdout.isatty()) for title, rows in results), nl=False
        )
    return 0 if all(row.as_expected for _, rows in results for row in rows) else 1


def _list(as_json: bool) -> int:
    from handfast import registry
    from handfast.prove.find import installed
    from handfast.prove.program import Program

    here = installed()
    programs: dict[str, Program] = {
        name: registry.load("prove.programs", name).program for name in registry.names("prove.programs")
    }
    if as_json:
        print_json([{"name": name, "installed": name in here} for name in programs])
        return 0
    rows = [
        (name, "yes" if name in here else f"no: apt-get install {program.package}")
        for name, program in programs.items()
    ]
    print_table(("TARGET", "on this machine"), rows, whole=("TARGET",))
    return 0


def _against(
    address: str,
    root: str | None,
    good: tuple[str | None, str | None],
    revoked: tuple[str | None, str | None],
    as_json: bool,
) -> int:
    from handfast.prove.against import Outsider, prove_against

    if root is None:
        raise ConfigError("--against needs --root", hint="the root certificate that the server's comes from")
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"{address!r} is no HOST:PORT", hint="as in localhost:8443")
    outsider = Outsider(
        (host.strip("[]"), int(port)),
        _text(root),
        _pair("--cert", "--key", good),
        _pair("--revoked-cert", "--revoked-key", revoked),
    )
    return show([(f"{address}, from outside", prove_against(outsider))], as_json)


def _pair(certificate: str, key: str, files: tuple[str | None, str | None]) -> tuple[str, str] | None:
    if files[0] is None and files[1] is None:
        return None
    if files[0] is None or files[1] is None:
        raise ConfigError(f"{certificate} and {key} go together", hint=f"give both {certificate} and {key}")
    return _text(files[0]), _text(files[1])


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (getattr(error, "strerror", None) or "it is not text").lower()
        raise ConfigError(
            f"{file} cannot be read: {reason}", hint="give a PEM file; look at its name and mode"
        ) from None
