"""The matrix: everybody who may come and everybody who may not, one row each, expected beside observed."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from handfast.prove.log import LogReader
from handfast.prove.program import Observation, Outcome, Program, Running, Stage, Visit
from handfast.prove.stage import Given, apply_revocation, running
from handfast.prove.visitors import ThrowAwayPki, Visitor
from handfast.targets.contract import ADMITTED, Case, Target

PATIENCE = 20.0
_PAUSE = 0.2
# Long enough for the handshakes before it on a free machine. Where it was not, they are made again with twice as much,
# so that nobody else has to wait for it.
EXPIRING = timedelta(seconds=4)
_LONGEST = timedelta(seconds=32)

TITLES = {
    Case.USER: "user",
    Case.DEVICE: "device",
    Case.RSA: "user, RSA key",
    Case.NO_CERTIFICATE: "no certificate",
    Case.SELF_SIGNED: "self-signed",
    Case.OTHER_CA: "other CA, same name",
    Case.EXPIRED: "expired",
    Case.NOT_YET_VALID: "not yet valid",
    Case.SERVER_ONLY: "server-only certificate",
    Case.BARE: "no extensions at all",
    Case.NO_INTERMEDIATE: "without its intermediate",
    Case.REVOKED: "revoked",
    Case.REVOKED_RESUMED: "revoked, resuming",
    Case.EXPIRED_RESUMED: "expired now, resuming",
}
_REFUSED_BY_SERVER = (
    Case.NO_CERTIFICATE,
    Case.SELF_SIGNED,
    Case.OTHER_CA,
    Case.EXPIRED,
    Case.NOT_YET_VALID,
    Case.SERVER_ONLY,
    Case.BARE,
    Case.NO_INTERMEDIATE,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the proof. tls: "1.2 1.3", the versions tried. note: the remedy where a program is weak."""

    title: str
    expected: str
    observed: str
    as_expected: bool
    tls: str = ""
    identity: str = ""
    log: str = ""
    seconds: float = 0.0
    note: str = ""
    case: Case | None = None


Progress = Callable[[str], None]
Revoke = Callable[[tuple[int, ...]], str]
LET_IN, REFUSED, CLIENT = "let in", "refused", "client refuses"


def silent(_: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Proof:
    """One program under proof. revoke: gives the CRLs in which these serial numbers are revoked."""

    target: Target
    program: Program
    pki: ThrowAwayPki
    directory: Path
    revoke: Revoke
    progress: Progress = silent

    def rows(self) -> tuple[Row, ...]:
        """Run the whole matrix. Raises Unavailable when the program does not start."""
        self.progress("starting")
        with running(self.target, self.program, self.pki, self.directory) as (stage, run):
            cast = Cast(self.target, stage, run)
            found = [cast.row(case) for case in ADMITTED]
            self.progress("revoking")
            found += self._revoked(cast)
            expiring = Expiring.begin(cast)
            self.progress("refusals")
            found[len(ADMITTED) : len(ADMITTED)] = [cast.row(case) for case in _REFUSED_BY_SERVER]
            own = self._own_refusals(cast)
            self.progress("waiting for a certificate to expire")
            found += expiring.rows(cast)
        self.progress("done")
        return (*found, *own)

    def _revoked(self, cast: "Cast") -> list[Row]:
        """Baselines first; then the revocation as an operator does it; then who still gets in."""
        comers = {version: cast.baseline(cast.visitor(Case.REVOKED_RESUMED), version) for version in cast.run.versions}
        serials = (cast.visitor(Case.REVOKED).serial, cast.visitor(Case.REVOKED_RESUMED).serial)
        apply_revocation(self.target, cast.stage, cast.run, serials=serials, crls=self.revoke(serials))
        cast.wait_in_force(cast.visitor(Case.REVOKED))
        resumed = [cast.resumed(Case.REVOKED_RESUMED, baseline) for baseline in comers.values()]
        return [cast.row(Case.REVOKED), *resumed]

    def _own_refusals(self, cast: "Cast") -> list[Row]:
        """What a careful client refuses by itself, with the right certificate in its hand."""
        user = cast.visitor(Case.USER)
        rows = [
            cast.own_refusal("wrong host name", Visit(user, server_name="wrong.example.test")),
            cast.own_refusal("server of foreign CA", Visit(user, trust=self.pki.foreign_root)),
        ]
        for name, pair in self.pki.bad_servers.items():
            if name in self.program.blind:
                continue
            directory = self.directory / name
            with running(self.target, self.program, self.pki, directory, Given(server=pair)) as (stage, run):
                title = "expired server" if name == "expired" else "server's is for clients"
                rows.append(Cast(self.target, stage, run).own_refusal(title, Visit(user)))
        return rows


@dataclass(frozen=True, slots=True)
class Baseline:
    """A client who was welcome, resumed once, and will try again. problem: why it was not so, or ""."""

    visitor: Visitor
    version: ssl.TLSVersion
    last: Observation
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Cast:
    """The visitors before one running program."""

    target: Target
    stage: Stage
    run: Running
    patience: float = PATIENCE

    def visitor(self, case: Case) -> Visitor:
        """Who plays this part."""
        return self.stage.pki.visitors[case]

    def observe(self, visit: Visit, log_words: str = "") -> Observation:
        """One visit that has a verdict: a program that just restarts is asked again, with patience."""
        deadline = time.monotonic() + self.patience
        silences = 0
        while True:
            reader = LogReader.at_end(self.run.log)
            seen = self.run.visit(visit)
            if seen.outcome is Outcome.CLOSED:
                silences += 1
            settled = seen.outcome in {Outcome.ADMITTED, Outcome.REFUSED} or (silences >= 3 and self._serves_others())
            if settled or time.monotonic() > deadline:
                return reader.with_log(seen, log_words)
            time.sleep(_PAUSE)

    def _serves_others(self) -> bool:
        return self.run.visit(Visit(self.visitor(Case.USER))).outcome is Outcome.ADMITTED

    def row(self, case: Case) -> Row:
        """A full handshake under every TLS version, as one row."""
        visitor, words = self.visitor(case), self._log_words(case)
        seen = [self.observe(Visit(visitor, version), words) for version in self.run.versions]
        admitted = case in ADMITTED
        weakness = self.target.weakness(case)
        let_in = [one.outcome is Outcome.ADMITTED for one in seen]
        identified = not admitted or all(not one.identity or visitor.name in one.identity for one in seen)
        right = all(let_in) and identified if admitted else not any(let_in) or weakness is not None
        return Row(
            title=TITLES[case],
            expected=LET_IN if admitted or (weakness and any(let_in)) else REFUSED,
            observed=_words(seen),
            as_expected=right and all(one.outcome is not Outcome.UNREACHABLE for one in seen),
            tls=" ".join(short_version(version) for version in self.run.versions),
            identity=seen[-1].identity,
            log=seen[-1].log,
            seconds=sum(one.seconds for one in seen) / len(seen),
            note=weakness.remedy if weakness and any(let_in) else "",
            case=case,
        )

    def _log_words(self, case: Case) -> str:
        return next((refusal.log for refusal in self.target.refusals if refusal.case is case), "")

    def baseline(self, visitor: Visitor, version: ssl.TLSVersion) -> Baseline:
        """A full handshake and one resumption while all is well."""
        first = self.observe(Visit(visitor, version))
        if first.outcome is not Outcome.ADMITTED:
            return Baseline(visitor, version, first, f"was not let in before: {first.words}")
        if first.session is None:
            return Baseline(visitor, version, first)
        again = self.observe(Visit(visitor, version, first.session))
        if again.outcome is Outcome.REFUSED and self.observe(Visit(visitor, version)).outcome is Outcome.ADMITTED:
            # The program takes no session back, from anybody, as Redis without its cache.
            return Baseline(visitor, version, first)
        if again.outcome is not Outcome.ADMITTED:
            return Baseline(visitor, version, again, f"was not let in when it came back: {again.words}")
        return Baseline(visitor, version, again if again.session else first)

    def resumed(self, case: Case, baseline: Baseline) -> Row:
        """Comes back with the saved session, if it ever got one; else with a full handshake."""
        words = self._log_words(Case.REVOKED if case is Case.REVOKED_RESUMED else Case.EXPIRED)
        visit = Visit(baseline.visitor, baseline.version, baseline.last.session)
        seen = baseline.last if baseline.problem else self.observe(visit, words)
        weakness = self.target.weakness(case)
        let_in = seen.outcome is Outcome.ADMITTED
        return Row(
            title=TITLES[case],
            expected=LET_IN if let_in and weakness else REFUSED,
            observed=baseline.problem or seen.words + (" (resumed)" if seen.resumed else ""),
            as_expected=not baseline.problem
            and (weakness is not None or seen.outcome in {Outcome.REFUSED, Outcome.CLOSED}),
            tls=short_version(baseline.version),
            log=seen.log,
            seconds=seen.seconds,
            note=weakness.remedy if let_in and weakness else "",
            case=case,
        )

    def wait_in_force(self, revoked: Visitor) -> None:
        """Until a full handshake of a revoked client is refused three times in a row, or patience ends.

        Old workers may serve for a moment after a reload; what then still lets it in is the row's business.
        """
        if self.target.weakness(Case.REVOKED):
            return
        deadline, refusals = time.monotonic() + PATIENCE, 0
        while refusals < 3 and time.monotonic() < deadline:
            seen = self.run.visit(Visit(revoked, self.run.versions[-1]))
            refusals = refusals + 1 if seen.outcome in {Outcome.REFUSED, Outcome.CLOSED} else 0
            if not refusals:
                time.sleep(_PAUSE)

    def own_refusal(self, title: str, visit: Visit) -> Row:
        """The client ends it, before it has shown anything to the application."""
        seen = self.observe(visit)
        # A server that has no certificate for the name that was asked for may end it first, as Caddy does.
        ends = ("client:", "alert") if visit.server_name else ("client:",)
        return Row(
            title=title,
            expected=CLIENT,
            observed=seen.words,
            as_expected=seen.outcome is Outcome.REFUSED and seen.words.startswith(ends),
            tls=_short_name(seen.tls),
            seconds=seen.seconds,
        )


@dataclass(frozen=True, slots=True)
class Expiring:
    """Clients whose certificate is good now and will not be in a moment."""

    baselines: tuple[Baseline, ...]

    @classmethod
    def begin(cls, cast: Cast) -> "Expiring":
        """Baselines that surely ended before the certificate did; with a longer life as often as it takes."""
        lifetime = EXPIRING
        while True:
            visitor = cast.stage.pki.expiring("shortlived", lifetime)
            baselines = tuple(cast.baseline(visitor, version) for version in cast.run.versions)
            in_time = visitor.not_after is not None and datetime.now(UTC) < visitor.not_after
            if in_time or lifetime > _LONGEST:
                return cls(baselines)
            lifetime *= 2

    def rows(self, cast: Cast) -> list[Row]:
        """Wait until the certificate is surely dead, then come back."""
        dead = max(baseline.visitor.not_after or datetime.now(UTC) for baseline in self.baselines)
        # Its last second still counts.
        time.sleep(max(0.0, (dead + timedelta(seconds=1.2) - datetime.now(UTC)).total_seconds()))
        return [cast.resumed(Case.EXPIRED_RESUMED, baseline) for baseline in self.baselines]


def _words(seen: list[Observation]) -> str:
    return " / ".join(dict.fromkeys(one.words for one in seen))


def short_version(version: ssl.TLSVersion) -> str:
    """ "1.3" for TLSv1_3."""
    names = {ssl.TLSVersion.TLSv1_2: "1.2", ssl.TLSVersion.TLSv1_3: "1.3", ssl.TLSVersion.MAXIMUM_SUPPORTED: ""}
    return names.get(version, version.name)


def _short_name(version: str) -> str:
    return version.removeprefix("TLSv")
