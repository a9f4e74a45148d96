"""What the keys are for: extended key usage on every level, and key usage (RFC 5280 sections 4.2.1.3 and 4.2.1.12)."""

from cryptography.x509 import ObjectIdentifier

from handfast.pki import oids
from handfast.validate.certificate import Certificate
from handfast.validate.path import Examination
from handfast.validate.policy import Purpose

_ANY = oids.ANY_EXTENDED_KEY_USAGE.dotted_string


def check(examination: Examination) -> None:
    """Nothing to ask when any purpose will do."""
    purpose = examination.policy.purpose
    if not purpose.extended_key_usages:
        return
    _check_leaf(examination, purpose)
    _check_leaf_key_usage(examination, purpose)
    for position, certificate in enumerate(examination.chain[1:], start=1):
        _check_ca(examination, position, certificate)


def _check_leaf(examination: Examination, purpose: Purpose) -> None:
    usages = examination.leaf.says.extended_key_usage
    wanted = _titles(purpose.extended_key_usages)
    if usages is None:
        if purpose.requires_extended_key_usage:
            examination.note("purpose-not-allowed", 0, f"it has no extended key usage; {wanted} is needed")
        elif purpose.is_server:
            examination.note("extended-key-usage-missing", 0, f"it has no extended key usage; {wanted} is expected")
        return
    if usages.isdisjoint(purpose.extended_key_usages) and (_ANY not in usages or not purpose.accepts_any):
        message = f"its extended key usage is {_titles(sorted(usages))}; {wanted} is needed"
        examination.note("purpose-not-allowed", 0, message)
        return
    if _ANY in usages and purpose.is_tls:
        examination.note("extended-key-usage-any", 0, "its extended key usage includes anyExtendedKeyUsage")
    if purpose.is_server and "extended_key_usage" in examination.leaf.says.critical:
        examination.note("extended-key-usage-critical", 0, "its extended key usage is critical")


def _check_leaf_key_usage(examination: Examination, purpose: Purpose) -> None:
    usage = examination.leaf.says.key_usage
    if usage and purpose.key_usages and not examination.leaf.is_ca and usage.isdisjoint(purpose.key_usages):
        message = f"its key usage is {', '.join(sorted(usage))}; one of {', '.join(purpose.key_usages)} is needed"
        examination.note("key-usage-not-for-purpose", 0, message)
    if purpose.is_tls and examination.leaf.is_ca:
        examination.note("leaf-is-ca", 0, "the certificate is a CA's")


def _check_ca(examination: Examination, position: int, certificate: Certificate) -> None:
    usages = certificate.says.extended_key_usage
    if usages is None:
        return
    purpose = examination.policy.purpose
    if usages.isdisjoint(purpose.extended_key_usages) and _ANY not in usages:
        message = f"the CA may issue for {_titles(sorted(usages))} only, not for {_titles(purpose.extended_key_usages)}"
        examination.note("purpose-not-allowed-by-ca", position, message)
    if purpose.is_server and position == examination.anchor_at:
        examination.note("anchor-extended-key-usage", position, "the trust anchor has an extended key usage")


def _titles(identifiers: tuple[str, ...] | list[str]) -> str:
    return ", ".join(oids.usage_name(ObjectIdentifier(each)) for each in identifiers)
