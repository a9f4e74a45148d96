"""OCSP answers as files, for a static web server that is asked by GET (RFC 6960 appendix A.1, RFC 5019 section 5).

Made from what the store says now, and compared with what lies there: so whatever a crash left is mended by the next
run, and no file needs an fsync of its own.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from handfast.ca.answering import sign_standing, standings
from handfast.ca.authority import Authority
from handfast.ca.issuer import Issuer
from handfast.ca.statuses import NEVER_ISSUED
from handfast.client.static_files import ANSWERS, ENTERED, Answers, may_stay, remove_ended, replace_answer
from handfast.errors import ConfigError, Malformed
from handfast.keys.files import alone_in, make_directory, read_private, write_atomically
from handfast.pki import pem
from handfast.pki.ocsp_response import Responder, responder_of
from handfast.protocols.ocsp import file_name

_REPORT_EVERY = 1000
Report = Callable[[str, str], None]


def write_answers(authority: Authority, directory: Path, *, keys: Path, report: Report) -> list[Answers]:
    """Write an answer for each certificate that is alive, if the one that lies there says another thing, is in the
    second half of its life, or was signed by a responder that is revoked; remove those that have ended. Never an older
    one over a newer one.

    keys: the folder in which the responders' keys are kept from one run to the next. Raises ConfigError, Unavailable.
    """
    folder = make_directory(directory / ANSWERS, mode=ENTERED)
    with alone_in(folder):
        issuers = authority.issuers.values()
        done = [_of_issuer(authority, one, folder, keys=keys, report=report) for one in issuers]
        remove_ended(folder, authority.clock(), authority.ocsp_lifetime)
    return done


def kept_responder(authority: Authority, issuer: Issuer, folder: Path) -> Responder:
    """The responder whose key and certificate lie in the folder, or a new one that is put there.

    A new one at two thirds of its life, when it was revoked, and when the CA has another key. Raises ConfigError when
    the CA's key is not there.
    """
    path = make_directory(folder) / f"{issuer.name}.pem"
    found = _responder_in(path) if path.exists() else None
    if found is not None and _is_usable(found, authority, issuer):
        return found
    made = authority.ocsp_responder(issuer)
    write_atomically(path, pem.to_pem(made.key) + pem.to_pem(made.certificate))
    return made


def _responder_in(path: Path) -> Responder | None:
    try:
        contents = pem.read(read_private(path), source=str(path))
        return responder_of(contents.certificates[0], contents.keys[0])
    except (Malformed, IndexError):
        return None


def _is_usable(responder: Responder, authority: Authority, issuer: Issuer) -> bool:
    certificate = responder.certificate
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if authority.clock() >= begin + (end - begin) * 2 / 3 or certificate.issuer != issuer.certificate.subject:
        return False
    return _stands(certificate.serial_number, authority, issuer)


def _stands(serial: int, authority: Authority, issuer: Issuer) -> bool:
    known = authority.store.statuses.of(issuer.name, [serial]).get(serial, NEVER_ISSUED)
    return known.is_issued and known.revoked_at is None


def _of_issuer(authority: Authority, issuer: Issuer, folder: Path, *, keys: Path, report: Report) -> Answers:
    try:
        responder = kept_responder(authority, issuer, keys)
    except ConfigError:
        responder = None
    now, count, written = authority.clock(), 0, 0
    stands = cache(partial(_stands, authority=authority, issuer=issuer))
    for one in standings(issuer, store=authority.store, now=now):
        count += 1
        if count % _REPORT_EVERY == 0:
            report(f"OCSP answers of {issuer.name}", f"{count:,} looked at, {written:,} written")
        name = file_name(one.request)
        if not may_stay(folder / name, one, now, stands=stands):
            if responder is None:
                return Answers(issuer.name, lacking=True)
            replace_answer(folder, name, sign_standing(one, responder, now=now, lifetime=authority.ocsp_lifetime))
            written += 1
    return Answers(issuer.name, count, written)
