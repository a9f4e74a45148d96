"""What a service gave, held against the CA whose word it is said to be (RFC 5280 section 6.3.3, RFC 6960 section 3.2).

The service is trusted by TLS to say which certificates there are. What is passed on to relying parties is looked at as
strictly as one of them would: whoever sits between, or has the service in hand, can withhold things, and no more.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.x509 import ocsp

from handfast.errors import Malformed
from handfast.validate.certificate import Certificate, read_certificate
from handfast.validate.distinguished_names import same_name
from handfast.validate.revocation import (
    LoadedCRL,
    Question,
    RevocationFacts,
    RevocationPolicy,
    Signers,
    authority_of,
    load_crl,
    load_response,
)
from handfast.validate.revocation.crl import form_problem, is_genuine
from handfast.validate.revocation.extensions import UNREADABLE
from handfast.validate.revocation.ocsp import judge

HINT = "look whether the address is right, whether the clocks agree, and who is between here and the service"
_DER = b"\x30"
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Of what is said to be one CA's. revoked: the serials of certificates by which nobody may answer any more."""

    name: str
    ca: Certificate
    clock: Callable[[], datetime]
    revoked: frozenset[int] = frozenset()

    def crl(self, data: bytes, file: str, *, least: int) -> LoadedCRL:
        """The list that belongs into the file: of this CA, for those certificates, not from the future, with that
        number at least. It may have ended. Raises Malformed."""
        return _judged(f"the list {file}", lambda: self._crl(data, file, least))

    def answer(self, data: bytes, serial: int) -> ocsp.OCSPResponse:
        """An OCSP answer about that certificate alone, by SHA-1, by who may sign it, and in its time.

        Not looked at: whether it says what it should. Raises Malformed.
        """
        return _judged("an OCSP answer", lambda: self._answer(data, serial))

    def _crl(self, data: bytes, file: str, least: int) -> LoadedCRL | str:
        if data[:1] != _DER:
            return "is not in DER"
        crl, question = load_crl(data), self._question(self.ca)
        if not same_name(crl.issuer, self.ca.subject):
            return "is of another CA"
        form = form_problem(crl, question)
        if form is not None:
            return f"cannot be relied on: {form}"
        if not is_genuine(crl, question.issuer):
            return f"is not signed by {self.name}"
        if not _is_for(crl, file.removeprefix(self.name).removesuffix(".crl")):
            return "is a list of other certificates, or another kind of list"
        if crl.this_update > question.at + question.policy.skew:
            return f"begins only at {crl.this_update:%Y-%m-%d %H:%M} UTC"
        if (crl.number or 0) < least:
            return f"has the number {crl.number}, where the service says that there is {least}"
        return crl

    def _answer(self, data: bytes, serial: int) -> ocsp.OCSPResponse | str:
        response = load_response(data)
        problem = judge(response, data, self._question(replace(self.ca, serial=serial, issuer=self.ca.subject)))
        if isinstance(problem, str):
            return f"is not to be believed: {problem}"
        single = next(response.responses)
        if single.next_update_utc is None:
            return "does not say how long it holds"
        if len(list(response.responses)) != 1 or single.hash_algorithm.name != "sha1":
            return "is not of the kind that was asked for"
        if any(one.serial_number in self.revoked for one in response.certificates):
            return "is signed by a responder that is revoked"
        return response

    def _question(self, certificate: Certificate) -> Question:
        nobody = Signers((), lambda _signer: False)
        return Question(certificate, authority_of(self.ca), self.clock(), RevocationPolicy(), RevocationFacts(), nobody)


def judge_of(
    name: str, ca: x509.Certificate, clock: Callable[[], datetime], revoked: frozenset[int] = frozenset()
) -> Judge:
    """The judge of what is said to be this CA's."""
    return Judge(name, read_certificate(ca), clock, revoked)


def _judged(what: str, look: Callable[[], Value | str]) -> Value:
    try:
        found = look()
    except (Malformed, *UNREADABLE) as error:
        found = f"cannot be read: {error.message if isinstance(error, Malformed) else error}"
    if isinstance(found, str):
        raise Malformed(f"{what} {found}", hint=HINT)
    return found


def _is_for(crl: LoadedCRL, part: str) -> bool:
    """Whether it is what the file's name says. part: what stands between the CA's name and the end: -SHARD, -delta."""
    shard = part.removesuffix("-delta")
    if (crl.base_number is not None) != (shard != part):
        return False
    point = crl.distribution_point
    if not shard:
        return "2.5.29.28" not in crl.extensions
    urls = (point.full_name or []) if point is not None else []
    return any(str(url.value).endswith(f"{shard}.crl") for url in urls)
