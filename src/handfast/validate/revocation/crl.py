"""Revocation by CRL, for one certificate (RFC 5280 section 6.3.3)."""

from collections.abc import Iterator
from typing import NamedTuple

from cryptography import x509

from handfast.errors import Malformed
from handfast.validate.certificate import Certificate
from handfast.validate.der import identifier
from handfast.validate.distinguished_names import name_key, same_name
from handfast.validate.extensions import key_usage
from handfast.validate.revocation.crl_index import Entry, LoadedCRL
from handfast.validate.revocation.facts import CertificationAuthority, Question, authority_of
from handfast.validate.revocation.scope import ALL_REASONS, Point, points_of, reasons_of, same_scope, scope_problem
from handfast.validate.signatures import is_signed_by, scheme

# What RFC 5280 section 5.2 defines, and this code processes or may ignore when it is critical.
_PROCESSED = {"2.5.29.35", "2.5.29.18", "2.5.29.20", "2.5.29.27", "2.5.29.28", "2.5.29.46", "1.3.6.1.5.5.7.1.1"}
_KEY_USAGE = identifier("2.5.29.15")
_FORGETFUL = 4096
# Certificates of one name whose keys are tried: a pool full of namesakes must not buy a signature check for each.
MOST_SIGNERS = 8


class Answer(NamedTuple):
    """What the lists say: a revocation, or the reasons that they together answered for, and why others were no use."""

    entry: Entry | None = None
    source: str = ""
    reasons: frozenset[x509.ReasonFlags] = frozenset()
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every reason was answered for, so that the certificate is known not to be revoked."""
        return self.reasons == ALL_REASONS


def ask_crls(question: Question) -> Answer:
    """Look the certificate up in the CRLs at hand. A list that ended still counts when it revokes, and only then."""
    plain = _plain_answer(question)
    if plain is not None:
        return plain
    answer = Answer()
    for point in points_of(question):
        answer = _ask_point(point, question, answer)
        if answer.entry or answer.is_complete:
            return answer
    return answer


def _plain_answer(question: Question) -> Answer | None:
    """The answer of a list without partitions, signed by the certificate's issuer: almost all there are, and fast."""
    lists = _plain_lists(question)
    for crl in lists:
        if freshness_problem(crl, question) is None:
            entry = crl.index.find(question.certificate.serial)
            if crl is lists[0]:
                _remember(crl, question)
            return Answer(entry=entry, source=crl.title, reasons=ALL_REASONS)
    return None


def _remember(crl: LoadedCRL, question: Question) -> None:
    issuer, plain = question.issuer, question.facts.plain
    # What was found leniently must not answer a strict question, nor for a key that inherits its parameters.
    if question.policy.strict and issuer.certificate is not None and issuer.certificate.spki == issuer.spki:
        if len(plain) > _FORGETFUL:
            plain.clear()
        plain[issuer.certificate.der] = crl


def _plain_lists(question: Question) -> tuple[LoadedCRL, ...]:
    memory, key = question.facts.memory, ("plain", question.issuer.identity, question.policy.strict)
    found = memory.get(key)
    if found is None:
        plain = (crl for crl in question.facts.crls if _is_plain(crl, question))
        found = tuple(sorted(plain, key=lambda crl: crl.this_update, reverse=True))
        if any(crl.base_number is not None for crl in question.facts.crls):
            found = ()
        if len(memory) > _FORGETFUL:
            memory.clear()
        memory[key] = found
    return found


def _is_plain(crl: LoadedCRL, question: Question) -> bool:
    return (
        crl.base_number is None
        and "2.5.29.28" not in crl.extensions
        and same_name(crl.issuer, question.certificate.issuer)
        and form_problem(crl, question) is None
        and is_genuine(crl, question.issuer)
        and _entries_problem(crl) is None
        and crl.index.unknown_critical is None
        and len(crl.index.issuers) == 1
    )


def _ask_point(point: Point, question: Question, answer: Answer) -> Answer:
    problems = dict(answer.problems)
    for crl in _complete_lists(question):
        problem = scope_problem(crl, point, question)
        if problem is None and not reasons_of(crl, point) - answer.reasons:
            continue
        problem = problem or form_problem(crl, question) or _signer_problem(crl, question) or _entries_problem(crl)
        stale = None if problem else freshness_problem(crl, question)
        if problem:
            problems.setdefault(crl.title, problem)
            continue
        delta = _delta_for(crl, question)
        entry, freshest = _look_up(crl, delta, question)
        critical = crl.index.unknown_critical
        if entry is not None and not (stale and _ended_hold(entry)):
            return Answer(entry, freshest.title, answer.reasons, tuple(problems.items()))
        if stale or critical:
            problems.setdefault(crl.title, stale or f"an entry has an unknown critical extension ({critical})")
            continue
        problems.pop(crl.title, None)
        answer = answer._replace(source=freshest.title, reasons=answer.reasons | reasons_of(crl, point))
    return answer._replace(problems=tuple(problems.items()))


def _entries_problem(crl: LoadedCRL) -> str | None:
    try:
        return None if crl.index.issuers else "it has no entries"
    except Malformed as error:
        return error.message


def _complete_lists(question: Question) -> Iterator[LoadedCRL]:
    """Fresh ones first, so that a list that ended never speaks before its successor; the latest first among them."""
    lists = [crl for crl in question.facts.crls if crl.base_number is None and "2.5.29.27" not in crl.extensions]
    lists.sort(key=lambda crl: crl.this_update, reverse=True)
    lists.sort(key=lambda crl: freshness_problem(crl, question) is not None)
    yield from lists


def _ended_hold(entry: Entry) -> bool:
    return entry.reason is x509.ReasonFlags.certificate_hold


def _look_up(crl: LoadedCRL, delta: LoadedCRL | None, question: Question) -> tuple[Entry | None, LoadedCRL]:
    """Steps i to k: the delta CRL speaks first, and may take an entry off the complete one."""
    for each in (delta, crl):
        if each is None:
            continue
        entry = _find(each, question)
        if entry is not None:
            removed = entry.reason is x509.ReasonFlags.remove_from_crl
            return (None if removed else entry), each
    return None, delta or crl


def _find(crl: LoadedCRL, question: Question) -> Entry | None:
    serial, issuer = question.certificate.serial, question.certificate.issuer
    if same_name(crl.issuer, issuer):
        found = crl.index.find(serial)
        if found is not None or len(crl.index.issuers) == 1:
            return found
    return crl.index.find(serial, name_key(issuer))


def _delta_for(crl: LoadedCRL, question: Question) -> LoadedCRL | None:
    """Step c: the latest usable delta CRL for this complete one."""
    found = [each for each in question.facts.crls if _is_delta_for(each, crl, question)]
    return max(found, key=lambda each: each.number or 0, default=None)


def _is_delta_for(delta: LoadedCRL, crl: LoadedCRL, question: Question) -> bool:
    base, number, complete = delta.base_number, delta.number, crl.number
    if base is None or number is None or complete is None:
        return False
    return (
        base <= complete < number
        and same_name(delta.issuer, crl.issuer)
        and same_scope(delta, crl)
        and delta.authority_key_identifier == crl.authority_key_identifier
        and form_problem(delta, question) is None
        and freshness_problem(delta, question) is None
        and _signer_problem(delta, question) is None
        and _entries_problem(delta) is None
        and delta.index.unknown_critical is None
    )


def freshness_problem(crl: LoadedCRL, question: Question) -> str | None:
    """Whether the list is current at the moment asked about."""
    if crl.this_update > question.at + question.policy.skew:
        return f"it begins only at {crl.this_update:%Y-%m-%d %H:%M} UTC"
    if crl.next_update is None:
        return "it does not say when the next one comes"
    if crl.next_update < question.at:
        return f"it ended at {crl.next_update:%Y-%m-%d %H:%M} UTC"
    return None


def form_problem(crl: LoadedCRL, question: Question) -> str | None:
    """Whether the list has a form that can be relied on (RFC 5280 section 5.2)."""
    for oid, extension in crl.extensions.items():
        if extension.critical and oid not in _PROCESSED:
            return f"it has a critical extension that is not known ({oid})"
    number = crl.extensions.get("2.5.29.20")
    if number is not None and number.critical and question.policy.strict:
        return "its CRL number is marked critical"
    if number is None and question.policy.strict:
        return "it has no CRL number"
    return signature_problem(crl.signed.algorithm, question)


def signature_problem(algorithm: bytes, question: Question) -> str | None:
    """Whether the algorithm, in DER, is too weak or unknown: MD5 always is, SHA-1 where policy is strict."""
    refused = {"signature-md5", "signature-algorithm-unknown", "signature-sha1" if question.policy.strict else ""}
    return next((message for code, message in scheme(algorithm).problems if code in refused), None)


def _signer_problem(crl: LoadedCRL, question: Question) -> str | None:
    """Steps f and g: whose key signed it, and is that one entitled to."""
    issuer = question.issuer
    own = same_name(issuer.name, crl.issuer)
    if own and is_genuine(crl, issuer):
        return None
    named = _likely_signers(crl, question)
    if not named and not own:
        return "the certificate of its signer is not at hand"
    genuine = [each for each in named if is_genuine(crl, authority_of(each))]
    if any(question.signers.is_valid(each) for each in genuine):
        return None
    if genuine:
        return "no valid path leads from its signer to the same trust anchor"
    return "its signature does not verify, or its signer may not sign CRLs"


def _likely_signers(crl: LoadedCRL, question: Question) -> list[Certificate]:
    """Certificates in the name of the list's issuer, those with the key that it names first; no more than a few."""
    named = [each for each in question.signers.pool if same_name(each.subject, crl.issuer)]
    wanted = crl.authority_key_identifier
    named.sort(key=lambda each: each.says.subject_key_identifier != wanted)
    return named[:MOST_SIGNERS]


def is_genuine(crl: LoadedCRL, signer: CertificationAuthority) -> bool:
    """Whether that key signed it and its certificate allows it to; answered once for each list and signer."""
    key = signer.identity
    if key not in crl.verified:
        if len(crl.verified) > _FORGETFUL:
            crl.verified.clear()
        crl.verified[key] = _may_sign_crls(signer.certificate) and _signature_verifies(crl, signer)
    return crl.verified[key]


def _signature_verifies(crl: LoadedCRL, signer: CertificationAuthority) -> bool:
    signed = crl.signed
    if signed.algorithm != signed.inner_algorithm:
        return False
    message = crl.der[signed.start : signed.stop]
    return is_signed_by(signer.public_key, scheme(signed.algorithm), signed.signature, message)


def _may_sign_crls(certificate: Certificate | None) -> bool:
    """Whether keyUsage, where present, has cRLSign (RFC 5280 section 6.3.3 f)."""
    usage = certificate.extensions.get(_KEY_USAGE) if certificate else None
    try:
        return usage is None or "cRLSign" in key_usage(usage.value)
    except Malformed:
        return False
