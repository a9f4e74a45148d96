"""Makes the throw-away PKI: by the profiles where they can, by hand where no right CA would sign (RFC 5280)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from handfast.pki import der
from handfast.pki.crl import CrlHeader, RevokedEntry, build_crl, parse_crl
from handfast.pki.draft import Holder, draft_certificate, sign_draft
from handfast.pki.issuer_identity import IssuerIdentity, identity_of, self_issuer
from handfast.pki.names import parse_names
from handfast.pki.pem import to_pem
from handfast.pki.profile import BUILT_IN
from handfast.pki.subject import parse_subject
from handfast.prove.visitors import Pair, ThrowAwayPki, Visitor
from handfast.targets.contract import Case

_DAY = timedelta(days=1)
# Expired certificates ended a minute ago: a CA that was made this minute begins five minutes back, and not before.
_MINUTE = timedelta(minutes=1)
LOOPBACK = ("localhost", "127.0.0.1")
_ROOT, _ISSUING = "CN=Proof Root,O=Handfast proof", "CN=Proof Issuing,O=Handfast proof"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Signer:
    """A CA with its key, as long as the proof lasts."""

    identity: IssuerIdentity
    key: Key
    pem: str


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes certificates below one issuing CA. now and new_serial are functions, so that tests can fix them."""

    root: Signer
    issuing: Signer
    now: Callable[[], datetime]

    def pair(
        self, profile: str, subject: str, *names: str, begin: datetime | None = None, lifetime: timedelta | None = None
    ) -> tuple[x509.Certificate, Pair]:
        """A certificate by a built-in profile with its key and chain; begin: as if issued then."""
        key = new_key()
        holder = _holder(subject, key, names)
        certificate = sign(self.issuing, profile, holder, begin=begin or self.now(), lifetime=lifetime)
        return certificate, Pair(to_pem(certificate) + self.issuing.pem, key_pem(key))

    def crls(self, serials: Iterable[int], number: int, moment: datetime | None = None) -> str:
        """The CRL of the root, which is empty, and that of the issuing CA. number rises with every call."""
        # Strictly later each time: OpenVPN ignores a CRL whose thisUpdate is that of the last one.
        this_update = moment or self.now() - timedelta(hours=1) + timedelta(seconds=number)
        header = CrlHeader(number=number, this_update=this_update, next_update=this_update + 30 * _DAY)
        entries = [RevokedEntry(serial, this_update, x509.ReasonFlags.key_compromise) for serial in serials]
        return "".join(
            to_pem(parse_crl(build_crl(listed, header, issuer=ca.identity, key=ca.key)))
            for ca, listed in ((self.root, []), (self.issuing, entries))
        )

    def visitor(
        self,
        case: Case,
        *,
        profile: str = "client",
        subject: str = "",
        begin: datetime | None = None,
        lifetime: timedelta | None = None,
    ) -> Visitor:
        """A visitor with a certificate of this CA."""
        name = subject or f"CN={case.value}"
        names = (f"dns:{case.value}.example.test",) if profile == "server" else ()
        certificate, pair = self.pair(profile, name, *names, begin=begin, lifetime=lifetime)
        return _visitor(case, certificate, pair)


def throw_away_pki(now: Callable[[], datetime], maker: Maker | None = None) -> ThrowAwayPki:
    """The whole cast, for servers on loopback. maker: below an authority that exists already; None makes its own."""
    maker = maker or new_maker(now)
    foreign = new_maker(now)
    numbers = count(1)

    def revoke(serials: Iterable[int]) -> str:
        return maker.crls(serials, next(numbers))

    return ThrowAwayPki(
        server_name="localhost",
        root=maker.root.pem,
        issuing=maker.issuing.pem,
        foreign_root=foreign.root.pem,
        server=maker.pair("server", "CN=localhost", *LOOPBACK)[1],
        bad_servers=_bad_servers(maker),
        visitors={visitor.case: visitor for visitor in _visitors(maker, foreign)},
        crls=revoke(()),
        revoke=revoke,
        revoke_at=lambda moment, serials: maker.crls(serials, 0, moment),
        expiring=lambda name, lifetime: maker.visitor(Case.EXPIRED_RESUMED, subject=f"CN={name}", lifetime=lifetime),
    )


def new_maker(now: Callable[[], datetime]) -> Maker:
    """A root and an issuing CA that have existed for two months. Their names are always the same ones."""
    begin = now() - 60 * _DAY
    root_key, issuing_key = new_key(), new_key()
    subject = parse_subject(_ROOT)
    anchor = Signer(self_issuer(subject, root_key.public_key()), root_key, "")
    root = _signer(sign(anchor, "root", _holder(_ROOT, root_key), begin=begin), root_key)
    issuing = sign(root, "issuing", _holder(_ISSUING, issuing_key), begin=begin)
    return Maker(root, _signer(issuing, issuing_key), now)


def new_key() -> ec.EllipticCurvePrivateKey:
    """P-256, as the default profile has it."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key) -> str:
    """PKCS#8, not encrypted: it lives as long as the proof."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def sign(
    issuer: Signer, profile: str, holder: Holder, *, begin: datetime, lifetime: timedelta | None = None
) -> x509.Certificate:
    """Draft and sign by a built-in profile, without the checks that would stop half of the cast."""
    serial = x509.random_serial_number()
    draft = draft_certificate(
        BUILT_IN[profile], holder, issuer=issuer.identity, serial=serial, now=begin, lifetime=lifetime
    )
    return sign_draft(draft, issuer.key)


def _holder(subject: str, key: Key, names: tuple[str, ...] = ()) -> Holder:
    return Holder(parse_subject(subject), tuple(parse_names(names)), key.public_key())


def _signer(certificate: x509.Certificate, key: Key) -> Signer:
    return Signer(identity_of(certificate), key, to_pem(certificate))


def _visitor(case: Case, certificate: x509.Certificate, pair: Pair) -> Visitor:
    return Visitor(
        case,
        _common_name(certificate),
        pair.chain,
        pair.key,
        serial=certificate.serial_number,
        not_after=certificate.not_valid_after_utc,
    )


def _common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


def _bad_servers(maker: Maker) -> dict[str, Pair]:
    """An expired one, and a device's that even has the server's name: only its extended key usage is wrong."""
    begin = maker.now() - 2 * _MINUTE
    return {
        "expired": maker.pair("server", "CN=localhost", *LOOPBACK, begin=begin, lifetime=_MINUTE)[1],
        "client-only": maker.pair("device", "CN=localhost", *LOOPBACK)[1],
    }


def _visitors(maker: Maker, foreign: Maker) -> list[Visitor]:
    now = maker.now()
    user = maker.visitor(Case.USER, subject="CN=alice")
    return [
        user,
        maker.visitor(Case.DEVICE, profile="device", subject="CN=device-1"),
        _rsa(maker),
        Visitor(Case.NO_CERTIFICATE, "nobody", "", ""),
        _self_signed(maker),
        foreign.visitor(Case.OTHER_CA, subject="CN=alice"),
        maker.visitor(Case.EXPIRED, begin=now - 2 * _MINUTE, lifetime=_MINUTE),
        maker.visitor(Case.NOT_YET_VALID, begin=now + 2 * _DAY),
        maker.visitor(Case.SERVER_ONLY, profile="server"),
        _bare(maker),
        Visitor(Case.NO_INTERMEDIATE, "alice", user.chain.split("-----END CERTIFICATE-----\n")[0] + _END, user.key),
        maker.visitor(Case.REVOKED, subject="CN=mallory"),
        maker.visitor(Case.REVOKED_RESUMED, subject="CN=mallory"),
    ]


_END = "-----END CERTIFICATE-----\n"


def _rsa(maker: Maker) -> Visitor:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    certificate = sign(maker.issuing, "client", _holder("CN=rsa-user", key), begin=maker.now())
    return _visitor(Case.RSA, certificate, Pair(to_pem(certificate) + maker.issuing.pem, key_pem(key)))


def _self_signed(maker: Maker) -> Visitor:
    """Whoever says of himself that he is alice."""
    key = new_key()
    own = Signer(self_issuer(parse_subject("CN=alice"), key.public_key()), key, "")
    certificate = sign(own, "client", _holder("CN=alice", key), begin=maker.now())
    return _visitor(Case.SELF_SIGNED, certificate, Pair(to_pem(certificate), key_pem(key)))


def _bare(maker: Maker) -> Visitor:
    """X.509 version 1, as `openssl x509 -req` makes without an extension file: no purpose, so every purpose."""
    key = new_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(parse_subject("CN=bare"))
        .issuer_name(maker.issuing.identity.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(maker.now().astimezone(UTC) - _DAY)
        .not_valid_after(maker.now().astimezone(UTC) + _DAY)
    )
    certificate = _as_version_1(builder.sign(maker.issuing.key, hashes.SHA256()), maker.issuing.key)
    return _visitor(Case.BARE, certificate, Pair(to_pem(certificate) + maker.issuing.pem, key_pem(key)))


def _as_version_1(certificate: x509.Certificate, key: Key) -> x509.Certificate:
    """The same certificate without its version field, whose default is version 1, signed anew."""
    version_3 = b"\xa0\x03\x02\x01\x02"
    body = certificate.tbs_certificate_bytes
    content = body[body.index(version_3) + len(version_3) :]
    signed = der.sequence((content,))
    algorithm = der.sequence((bytes.fromhex("06082a8648ce3d040302"),))  # ecdsa-with-SHA256
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm = der.sequence((bytes.fromhex("06092a864886f70d01010b"), b"\x05\x00"))  # sha256WithRSAEncryption
        signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.sign(signed, ec.ECDSA(hashes.SHA256()))
    return x509.load_der_x509_certificate(
        der.sequence((signed, algorithm, der.encode(der.BIT_STRING, b"\x00" + signature)))
    )
