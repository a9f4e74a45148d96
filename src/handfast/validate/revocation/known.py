"""The usual case, fast: every list that counts was verified before, is current, and lists none of the path."""

from collections.abc import Sequence
from datetime import datetime

from handfast.validate.certificate import Certificate
from handfast.validate.revocation.facts import RevocationFacts, RevocationStatus, Status


def known_good(
    chain: Sequence[Certificate], count: int, *, facts: RevocationFacts, at: datetime
) -> tuple[RevocationStatus, ...] | None:
    """The statuses of the first `count` certificates of the chain; None when it takes a closer look to tell.

    chain: from the leaf to the certificate of the trust anchor. Only lists that ask_crls() has found to be the whole
    word of an issuer (RFC 5280 section 6.3.3) are looked at, and only for their being current and for the serial.
    """
    if len(chain) <= count or facts.ocsp_responses:
        return None
    statuses, plain = [], facts.plain
    for number in range(count):
        crl = plain.get(chain[number + 1].der)
        if crl is None or crl.next_update is None or not crl.this_update <= at <= crl.next_update:
            return None
        if crl.index.may_have(chain[number].serial):
            return None
        statuses.append(RevocationStatus(Status.GOOD, crl.title))
    return tuple(statuses)
