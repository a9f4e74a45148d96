"""Who may issue: CA or not, path length, certificate signing (RFC 5280 sections 4.2.1.3, 4.2.1.9, 6.1.4 (k) to (n))."""

from handfast.validate.certificate import Certificate
from handfast.validate.path import Examination


def check(examination: Examination) -> None:
    """Every certificate above the leaf is a CA that may have as many CAs below it as it has."""
    below = 0
    for position, certificate in enumerate(examination.chain):
        if position:
            _check_issuer(examination, position, certificate, below)
            below += not certificate.is_self_issued
        _check_consistency(examination, position, certificate)


def _check_issuer(examination: Examination, position: int, certificate: Certificate, below: int) -> None:
    says = certificate.says
    is_anchor = position == examination.anchor_at
    constraints = says.basic_constraints
    if constraints is None or not constraints.is_ca:
        # A root of version 1 cannot say that it is a CA: whoever trusts it says so.
        if not is_anchor or certificate.version == 3:
            words = "does not say that it is a CA" if constraints is None else "says that it is not a CA"
            examination.note("not-a-ca", position, f"the issuer's certificate {words}")
    else:
        if "basic_constraints" not in says.critical:
            code = "anchor-basic-constraints-not-critical" if is_anchor else "basic-constraints-not-critical"
            examination.note(code, position, "basicConstraints of a CA is not critical")
        if constraints.path_length is not None and below > constraints.path_length:
            message = f"{below} CA certificates are below this one, which allows {constraints.path_length}"
            examination.note("path-length-exceeded", position, message)
    if says.key_usage is None:
        examination.note("key-usage-missing", position, "the CA has no keyUsage")
    elif "keyCertSign" not in says.key_usage:
        examination.note("cert-sign-missing", position, "keyUsage of the CA does not include keyCertSign")


def _check_consistency(examination: Examination, position: int, certificate: Certificate) -> None:
    constraints, usage = certificate.says.basic_constraints, certificate.says.key_usage
    if usage is not None and not usage:
        examination.note("key-usage-empty", position, "keyUsage has no bit set")
    if usage and "keyCertSign" in usage and not certificate.is_ca:
        examination.note("cert-sign-without-ca", position, "keyUsage has keyCertSign, and the certificate is no CA's")
    if constraints is not None and constraints.path_length is not None and not certificate.is_ca:
        examination.note("path-length-without-ca", position, "it has a path length, and is no CA's")
