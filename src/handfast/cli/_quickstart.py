"""The steps of the quickstart: a real authority, its certificates, and the cast of the proof below it."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from handfast.ca.authority import Authority
from handfast.ca.order import Issued, Order
from handfast.ca.records import Reason
from handfast.cli import _issued
from handfast.errors import ConfigError
from handfast.keys.files import write_atomically
from handfast.keys.generate import generate_key, random_password
from handfast.keys.passphrase import no_passphrase
from handfast.pki.keys import KeyKind
from handfast.pki.names import parse_names
from handfast.pki.pem import to_pem
from handfast.pki.pkcs12 import build_pkcs12
from handfast.pki.subject import parse_subject
from handfast.prove.throw_away import LOOPBACK, Key, Maker, Signer, throw_away_pki
from handfast.prove.visitors import Pair, ThrowAwayPki, Visitor
from handfast.server.assembly import utc_now
from handfast.server.founding import Plan, create_authority
from handfast.server.layout import publish_crl
from handfast.targets.contract import Case

# Who gets a certificate of the authority, by which profile and kind of key.
CAST = {
    Case.USER: ("client", "alice", KeyKind.P256),
    Case.DEVICE: ("device", "device-1", KeyKind.P256),
    Case.RSA: ("client", "rsa-user", KeyKind.RSA3072),
    Case.REVOKED: ("client", "mallory", KeyKind.P256),
    Case.REVOKED_RESUMED: ("client", "mallory-2", KeyKind.P256),
}


@dataclass(slots=True)
class Quickstart:
    """An authority in a directory and what it issued. revoke() may be called from several threads."""

    directory: Path
    authority: Authority
    issued: dict[Case, tuple[Issued, Pair]] = field(default_factory=dict)
    server: Pair | None = None
    _revoked: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def found(cls, directory: Path) -> "Quickstart":
        """Make the authority. Its keys are not encrypted, since it is for looking at."""
        plan = Plan(name="Quickstart")
        authority = create_authority(directory / "handfast-ca", plan, passphrase=no_passphrase)
        return cls(directory, authority)

    def issue_all(self) -> None:
        """A server's certificate, and one for each of the cast."""
        self.server = self._issue("server", "localhost", KeyKind.P256, LOOPBACK)[1]
        for case, (profile, name, kind) in CAST.items():
            self.issued[case] = self._issue(profile, name, kind, ())

    def _issue(self, profile: str, name: str, kind: KeyKind, names: tuple[str, ...]) -> tuple[Issued, Pair]:
        key = generate_key(kind)
        subject = parse_subject(f"CN={name}")
        order = Order(profile=profile, public_key=key.public_key(), subject=subject, names=tuple(parse_names(names)))
        issued = self.authority.issue(order)
        folder = self.directory / "issued" / name
        _issued.write_new(folder, _issued.files_of(issued, key))
        if profile == "client":
            password = random_password()
            data = build_pkcs12(key, issued.certificate, issued.chain, password=password.encode(), friendly_name=name)
            write_atomically(folder / f"{name}.p12", data)
            write_atomically(folder / "password.txt", f"{password}\n")
        chain = to_pem(issued.certificate) + "".join(map(to_pem, issued.chain))
        return issued, Pair(chain, to_pem(key))

    def crls(self) -> str:
        """The CRLs of both CAs as they are now."""
        return (self.directory / "handfast-ca" / "crl" / "crls.pem").read_text(encoding="ascii")

    def revoke(self, _: tuple[int, ...]) -> str:
        """Revoke those who play the revoked ones, once for all servers; the CRLs after it."""
        with self._lock:
            if not self._revoked:
                for case in (Case.REVOKED, Case.REVOKED_RESUMED):
                    self.authority.revoke(self.issued[case][0].record, Reason.KEY_COMPROMISE)
                publish_crl(self.directory / "handfast-ca", self.authority, self.authority.default_issuer)
                self._revoked = self.crls()
            return self._revoked

    def pki(self) -> ThrowAwayPki:
        """The cast: those whom the authority issued, and below its CAs those whom no right CA would."""
        maker = Maker(self._signer("root"), self._signer(self.authority.default_issuer), utc_now)
        made = throw_away_pki(utc_now, maker)
        own = {case: _visitor(case, *one) for case, one in self.issued.items()}
        bare_chain = replace(
            own[Case.USER], case=Case.NO_INTERMEDIATE, chain=to_pem(self.issued[Case.USER][0].certificate)
        )
        visitors = {**made.visitors, **own, Case.NO_INTERMEDIATE: bare_chain}
        if self.server is None:
            raise ConfigError("nothing was issued yet", hint="this is a bug; report it")
        return replace(made, visitors=visitors, server=self.server, crls=self.crls())

    def _signer(self, name: str) -> Signer:
        issuer = self.authority.issuer(name)
        key = issuer.unlock()
        if not isinstance(key, Key):
            raise ConfigError(f"the key of {name} is of another kind", hint="this is a bug; report it")
        return Signer(issuer.identity, key, to_pem(issuer.certificate))


def _visitor(case: Case, issued: Issued, pair: Pair) -> Visitor:
    certificate = issued.certificate
    return Visitor(
        case,
        CAST[case][1],
        pair.chain,
        pair.key,
        serial=certificate.serial_number,
        not_after=certificate.not_valid_after_utc,
    )
