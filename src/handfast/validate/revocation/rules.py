"""The rules about revocation, each one line, as in `validate/rules.py`."""

from collections.abc import Mapping

from handfast.validate.levels import Rule, rule

REVOCATION_RULES: Mapping[str, Rule] = dict((
    rule("certificate-revoked", "SRL", "6.3.3", "stop using it, and issue a new certificate with a new key"),
    rule("certificate-on-hold", "SRL", "6.3.3", "ask the CA why it is on hold, and to release it or to issue another"),
    # Fatal where revocation is required; where it is preferred, a warning.
    rule("revocation-undetermined", "SRL", "6.3",
         "give a current CRL of the issuer; the certificate says no place to fetch one from"),
    rule("revocation-not-checked", "---", "6.3",
         "give CRLs or OCSP responses, and ask for revocation to be required"),
    rule("ocsp-response-weak", "---", "RFC 6960 section 3.2",
         "ask the operator of the responder to mend it, or use a CRL too"),
))  # fmt: skip
