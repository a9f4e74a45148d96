"""Sets a program's stage: a directory, the application behind it, and the files as `handfast config` writes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from handfast.prove.deploy import Material, Place, setting_for, write_all, write_files, write_trust
from handfast.prove.process import free_port
from handfast.prove.program import Program, Running, Stage
from handfast.prove.upstream import greeter
from handfast.prove.visitors import Pair, ThrowAwayPki
from handfast.targets.contract import CrlForm, Level, Target


def material_of(pki: ThrowAwayPki, server: Pair, crls: str) -> Material:
    """What a server is given by the throw-away PKI."""
    return Material(server.chain, server.key, pki.root, pki.root + pki.issuing, crls)


@dataclass(frozen=True, slots=True)
class Given:
    """What a server is given in place of the usual: another certificate, other CRLs, serials for its deny-list."""

    server: Pair | None = None
    crls: str = ""
    revoked: tuple[int, ...] = ()


USUAL = Given()


@contextmanager
def running(
    target: Target,
    program: Program,
    pki: ThrowAwayPki,
    directory: Path,
    given: Given = USUAL,
) -> Iterator[tuple[Stage, Running]]:
    """The program at work on loopback, from its files to its end.

    directory is made; its path should be short, since some programs put sockets there.
    """
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    with greeter() as upstream:
        place = Place(
            directory=directory,
            names=("localhost",),
            port=free_port(),
            listen="127.0.0.1",
            level=Level.INTERMEDIATE,
            upstream=upstream,
            revoked=given.revoked,
        )
        setting = setting_for(target, place)
        material = material_of(pki, given.server or pki.server, given.crls or pki.crls)
        files = write_all(target, setting, material, datetime.now(UTC))
        stage = Stage(directory, setting, files, pki)
        run = program.start(stage)
        try:
            yield stage, run
        finally:
            run.stop()


def apply_revocation(target: Target, stage: Stage, run: Running, *, serials: tuple[int, ...], crls: str) -> None:
    """Give the program new CRLs and deny-list, and have it take them, as the operator would."""
    setting = replace(stage.setting, revoked=serials)
    write_trust(target, setting, material_of(stage.pki, stage.pki.server, crls))
    write_files(target.render(setting))
    run.reload()
    if run.deny and (setting.denylist or target.crl is CrlForm.NONE):
        run.deny(serials)
