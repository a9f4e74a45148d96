"""The settings of what is kept, where and for how long: journal, retention and the audit log's witness."""

from dataclasses import dataclass
from datetime import timedelta

from handfast.server.setting_values import as_fields, as_lifetime, as_text


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """directory: relative to the authority's; better on another disk. keep: how long segments stay."""

    directory: str = "journal"
    keep: timedelta = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """expired: how long after its end a certificate stays where lists and searches look."""

    expired: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """witness: a file or an https URL that gets the signed heads of the audit log; empty: none does.

    witness_token: the file with the token that the URL asks for. witness_roots: the file with roots in PEM that are
    trusted for it, beside the machine's. witness_certificate: the file with the certificate that it asks for, and the
    key.
    """

    witness: str = ""
    witness_token: str = ""
    witness_roots: str = ""
    witness_certificate: str = ""


def parse_journal(key: str, value: object) -> JournalSettings:
    """The table `journal`. Raises ConfigError."""
    return JournalSettings(**as_fields(key, value, {"directory": as_text, "keep": as_lifetime}))


def parse_retention(key: str, value: object) -> RetentionSettings:
    """The table `retention`. Raises ConfigError."""
    return RetentionSettings(**as_fields(key, value, {"expired": as_lifetime}))


def parse_audit(key: str, value: object) -> AuditSettings:
    """The table `audit`. Raises ConfigError."""
    fields = {"witness": as_text, "witness_token": as_text, "witness_roots": as_text, "witness_certificate": as_text}
    return AuditSettings(**as_fields(key, value, fields))
