"""The rehearsal of broken CRLs: what our writer does with one, and what the program does with it untested."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from handfast.errors import HandfastError, Malformed, Unavailable
from handfast.prove.crl_files import crl_files, read_crls
from handfast.prove.deploy import Material, files_for, write_files
from handfast.prove.matrix import Cast, Row
from handfast.prove.program import Outcome, Program, Stage, Visit
from handfast.prove.stage import Given, material_of, running
from handfast.prove.throw_away import new_maker
from handfast.prove.visitors import ThrowAwayPki
from handfast.targets.contract import BrokenCrl, Case, CrlForm, Harm, RenderedFile, Target

_REMEDY = "handfast config refuses such a file before it is written"
# A server that is said to lock everybody out stays so: no use in asking it for long.
_BRIEFLY = 4.0
NOT_WRITTEN = "refused"


@dataclass(frozen=True, slots=True)
class Fault:
    """A way in which a file of CRLs is broken."""

    name: BrokenCrl
    spoil: Callable[[ThrowAwayPki, str], str]


def _truncated(_: ThrowAwayPki, good: str) -> str:
    return good[: len(good) * 2 // 3]


def _empty(_: ThrowAwayPki, __: str) -> str:
    return Harm.NONE


def _expired(pki: ThrowAwayPki, _: str) -> str:
    return pki.revoke_at(datetime.now(UTC) - timedelta(days=90), ())


def _forged(_: ThrowAwayPki, __: str) -> str:
    """By a CA of the same names that nobody trusts: nobody is revoked in it."""
    return new_maker(lambda: datetime.now(UTC)).crls((), 1_000_000)


def _older(pki: ThrowAwayPki, _: str) -> str:
    """From the day before the revocation."""
    return pki.revoke_at(datetime.now(UTC) - timedelta(days=1), ())


FAULTS = (
    Fault(BrokenCrl.TRUNCATED, _truncated),
    Fault(BrokenCrl.EMPTY, _empty),
    Fault(BrokenCrl.EXPIRED, _expired),
    Fault(BrokenCrl.FORGED, _forged),
    Fault(BrokenCrl.OLDER, _older),
)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One program, and every broken file in turn."""

    target: Target
    program: Program
    pki: ThrowAwayPki
    directory: Path

    def rows(self) -> tuple[Row, ...]:
        """Two rows for each fault; none for a program that reads no CRLs."""
        if self.target.crl is CrlForm.NONE:
            return ()
        return tuple(row for number, fault in enumerate(FAULTS) for row in self._rehearse(fault, number))

    def _rehearse(self, fault: Fault, number: int) -> list[Row]:
        good = self.pki.revoke((self.pki.visitors[Case.REVOKED].serial,))
        with running(self.target, self.program, self.pki, self.directory / str(number), Given(crls=good)) as (
            stage,
            run,
        ):
            bad = fault.spoil(self.pki, good)
            cast = Cast(self.target, stage, run)
            return [self._by_our_writer(fault, cast, bad), self._by_hand(fault, cast, bad)]

    def _by_our_writer(self, fault: Fault, cast: Cast, bad: str) -> Row:
        """Refused before anything is written, so the program never sees it."""
        try:
            files_for(self.target, cast.stage.setting, self._material(bad), datetime.now(UTC))
        except HandfastError as error:
            words, written = error.message, False
        else:
            words, written = "written", True
        harm = _harm(cast)
        return Row(
            f"{fault.name}, writer",
            NOT_WRITTEN,
            words if harm is Harm.NONE else f"{words}; {harm}",
            as_expected=not written and harm is Harm.NONE,
        )

    def _by_hand(self, fault: Fault, cast: Cast, bad: str) -> Row:
        """Copied over the good one, and reloaded without a look: as bad as the target says, and no worse."""
        write_files(spoiled_files(self.target, cast.stage, bad, self._material(bad)))
        try:
            cast.run.reload()
        except Unavailable:
            pass
        expected = self.target.harms[fault.name]
        harm = _harm(replace(cast, patience=_BRIEFLY) if expected is Harm.LOCKED_OUT else cast)
        return Row(
            f"{fault.name}, by hand",
            expected,
            harm,
            as_expected=not harm.is_worse_than(expected),
            note=f"{self.target.broken_crl}; {_REMEDY}".removeprefix("; ") if harm is not Harm.NONE else "",
        )

    def _material(self, crls: str) -> Material:
        return material_of(self.pki, self.pki.server, crls)


def spoiled_files(target: Target, stage: Stage, bad: str, material: Material) -> tuple[RenderedFile, ...]:
    """The broken text where the program reads its CRLs from."""
    setting = stage.setting
    if target.crl is CrlForm.IN_CA_FILE:
        return (RenderedFile(setting.client_ca, material.anchors + bad),)
    if target.crl is CrlForm.DIRECTORY:
        return _in_directory(setting.crl, bad)
    return (RenderedFile(setting.crl, bad),)


def _in_directory(directory: str, bad: str) -> tuple[RenderedFile, ...]:
    """Each CRL under its issuer's name; what cannot be read, under every name that is there."""
    try:
        return crl_files(CrlForm.DIRECTORY, directory, read_crls(bad))
    except Malformed:
        return tuple(RenderedFile(str(path), bad) for path in sorted(Path(directory).glob("*.r0")))


def _harm(cast: Cast) -> Harm:
    """What went wrong for those who may come and those who may not."""
    if not cast.run.alive():
        return Harm.DOWN
    serves = cast.observe(Visit(cast.visitor(Case.USER))).outcome is Outcome.ADMITTED
    # Where the user had no answer for as long as patience lasts, one question more settles it.
    patient = cast if serves else replace(cast, patience=0.0)
    if patient.observe(Visit(cast.visitor(Case.REVOKED))).outcome is Outcome.ADMITTED:
        return Harm.LET_IN
    return Harm.NONE if serves else Harm.LOCKED_OUT
