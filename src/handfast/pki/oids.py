"""Object identifiers by the names that the RFCs give them (RFC 5280 section 4.2.1.12; others beside each)."""

from collections.abc import Mapping

from cryptography.x509 import ObjectIdentifier
from cryptography.x509.oid import ExtendedKeyUsageOID

SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
CODE_SIGNING = ExtendedKeyUsageOID.CODE_SIGNING
EMAIL_PROTECTION = ExtendedKeyUsageOID.EMAIL_PROTECTION
TIME_STAMPING = ExtendedKeyUsageOID.TIME_STAMPING
OCSP_SIGNING = ExtendedKeyUsageOID.OCSP_SIGNING
ANY_EXTENDED_KEY_USAGE = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
MICROSOFT_DOCUMENT_SIGNING = ObjectIdentifier("1.3.6.1.4.1.311.10.3.12")
ADOBE_AUTHENTIC_DOCUMENTS_TRUST = ObjectIdentifier("1.2.840.113583.1.1.5")
CMC_RA = ObjectIdentifier("1.3.6.1.5.5.7.3.28")  # RFC 6402 section 2.10
CMC_CA = ObjectIdentifier("1.3.6.1.5.5.7.3.27")
SMARTCARD_LOGON = ExtendedKeyUsageOID.SMARTCARD_LOGON
IPSEC_IKE = ExtendedKeyUsageOID.IPSEC_IKE  # RFC 4945

EXTENDED_KEY_USAGES: Mapping[str, ObjectIdentifier] = {
    "serverAuth": SERVER_AUTH,
    "clientAuth": CLIENT_AUTH,
    "codeSigning": CODE_SIGNING,
    "emailProtection": EMAIL_PROTECTION,
    "timeStamping": TIME_STAMPING,
    "OCSPSigning": OCSP_SIGNING,
    "anyExtendedKeyUsage": ANY_EXTENDED_KEY_USAGE,
    "documentSigning": DOCUMENT_SIGNING,
    "msDocumentSigning": MICROSOFT_DOCUMENT_SIGNING,
    "adobeDocumentSigning": ADOBE_AUTHENTIC_DOCUMENTS_TRUST,
    "cmcRA": CMC_RA,
    "cmcCA": CMC_CA,
    "smartcardLogon": SMARTCARD_LOGON,
    "ipsecIKE": IPSEC_IKE,
}
_NAMES = {oid.dotted_string: name for name, oid in EXTENDED_KEY_USAGES.items()}


def usage_name(oid: ObjectIdentifier) -> str:
    """`serverAuth` for 1.3.6.1.5.5.7.3.1; the dotted form of one that is not known."""
    return _NAMES.get(oid.dotted_string, oid.dotted_string)
