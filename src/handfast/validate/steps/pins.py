"""A pinned key is in the path (RFC 7469 section 2.6, over the verified path and never over what was sent)."""

from handfast.validate.path import Examination, spki_pin


def check(examination: Examination) -> None:
    """One pin that matches is enough; no pins ask nothing."""
    pins = examination.policy.pins
    if pins and pins.isdisjoint(spki_pin(certificate) for certificate in examination.chain):
        examination.note("pin-mismatch", None, "no certificate of the path has a pinned key")
