"""The moment lies in the validity of every certificate (RFC 5280 sections 4.1.2.5 and 6.1.3 (a)(2))."""

from handfast.validate.path import Examination


def check(examination: Examination) -> None:
    """Both ends of a validity belong to it; a moment counts in whole seconds, as validities do."""
    moment = examination.moment
    for position, certificate in enumerate(examination.chain):
        if moment < certificate.not_before:
            examination.note("not-yet-valid", position, f"valid only from {readable(certificate.not_before)}")
        elif moment > certificate.not_after:
            code = "issuer-expired" if position else "expired"
            examination.note(code, position, f"expired at {readable(certificate.not_after)}")


def readable(time: bytes) -> str:
    """`2026-11-23 10:00:00 UTC` for `20261123100000Z`."""
    text = time.decode("ascii")
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[8:10]}:{text[10:12]}:{text[12:14]} UTC"
