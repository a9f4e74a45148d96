"""handfast.toml: one table of settings that reads the file, refuses what it does not know, and prints its reference."""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from handfast.ca.answering import OCSP_LIFETIME
from handfast.ca.authority import CRL_LIFETIME
from handfast.ca.enrollment import Enrollment
from handfast.ca.limits import Limits, Rate, parse_rate
from handfast.ca.name_patterns import NamePattern, parse_pattern
from handfast.errors import ConfigError
from handfast.pki.issuer_identity import PublicationUrls
from handfast.pki.nearest import nearest
from handfast.pki.profile import BUILT_IN, Profile, from_table
from handfast.server.est_settings import parse_est, require_profiles
from handfast.server.keeping import (
    AuditSettings,
    JournalSettings,
    RetentionSettings,
    parse_audit,
    parse_journal,
    parse_retention,
)
from handfast.server.notice_settings import NoticeSettings, parse_notices
from handfast.server.serve_settings import ServeSettings
from handfast.server.setting_values import (
    as_fields,
    as_lifetime,
    as_list,
    as_number,
    as_switch,
    as_table,
    as_text,
    as_texts,
)

FILE = "handfast.toml"
# Nobody waits for more people than that, and a larger number is a slip.
MOST_APPROVALS = 20
MOST_SHARDS = 4096
_TENANT = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. kind: `text`, `lifetime` or `list of URLs`. default: as it would be written."""

    name: str
    kind: str
    default: str
    help: str


SETTINGS = (
    Setting("issuer", "text", '""', "the CA that signs when nobody names one; empty: the newest issuing CA"),
    Setting("crl_lifetime", "lifetime", '"7d"', "how long a revocation list of an issuing CA is good for"),
    Setting("crl_shards", "number", "0", "into how many CRLs the certificates are divided from now on; 0: not at all"),
    Setting("ocsp_lifetime", "lifetime", '"12h"', "how long an OCSP answer is good for; it is made anew at half"),
    Setting("crl_deltas", "true or false", "false", "whether delta CRLs are made between the full ones"),
    Setting("service.url", "text", '""', "where relying parties reach the service by plain HTTP: fills urls.*"),
    Setting("urls.crl", "list of URLs", "[]", "where relying parties fetch the CRL; {issuer} stands for the CA's name"),
    Setting("urls.ocsp", "list of URLs", "[]", "where an OCSP responder answers"),
    Setting("urls.ca_issuers", "list of URLs", "[]", "where the CA's own certificate is, in DER; http, not https"),
    Setting("urls.delta", "list of URLs", "[]", "where the delta CRL is, for freshestCRL in the full one"),
    Setting("store", "text", '"sqlite:ca.sqlite"', "the store's kind and place; a file is relative to this one"),
    Setting("keys", "text", '"file:keys"', "where the CA keys are: the kind of key store, and its place"),
    Setting("serve.listen", "text", '"127.0.0.1:8443"', "where `handfast serve` answers HTTPS; :8443 is every address"),
    Setting("serve.http", "text", '"127.0.0.1:8080"', "where it answers plain HTTP for CRLs and OCSP; empty: nowhere"),
    Setting("serve.metrics", "text", '""', "where Prometheus asks for /metrics, in plain HTTP; empty: nowhere"),
    Setting(
        "serve.names", "list of texts", "[]", "what clients call the service; empty: the machine's name, localhost"
    ),
    Setting("serve.tls_minimum", "text", '"1.3"', "the lowest TLS version: 1.3, or 1.2 for old clients"),
    Setting("serve.connections", "number", "1000", "connections at once; beyond it, idle ones make room"),
    Setting("serve.workers", "number", "8", "requests that are worked on at once"),
    Setting("serve.handshake_timeout", "lifetime", '"10s"', "for a TLS handshake, and for the head of a request"),
    Setting(
        "serve.request_timeout", "lifetime", '"20s"', "for the body of a request, and for a client to take answers"
    ),
    Setting("serve.idle_timeout", "lifetime", '"60s"', "for a connection without a request"),
    Setting("serve.stop_timeout", "lifetime", '"25s"', "how long a stop waits for requests that are being answered"),
    Setting("serve.largest_body", "number", "1048576", "octets in a body below /api; protocols have their own bounds"),
    Setting("est.profile", "text", '"device"', "what is issued over EST to whoever names no label"),
    Setting("est.wrap", "yes or no", "true", "answers in lines of 76 characters; false: in one, for old strongSwan"),
    Setting("est.channel_binding", "text", '"verify"', "a challengePassword: verify, require, or ignore"),
    Setting("est.csrattrs", "text", '"both"', "what clients are told to ask for: both, plain (no template), none"),
    Setting("est.decrypt_keys", "list of texts", "[]", "ID:KEY in hex: AES keys that generated keys are encrypted for"),
    Setting("est.retry_after", "lifetime", '"60s"', "how soon whoever waits for approval may ask again, at the latest"),
    Setting("est.labels.LABEL.profile", "text", "LABEL", "what is issued below /.well-known/est/LABEL"),
    Setting("est.labels.LABEL.wrap", "yes or no", "true", "answers in lines, as est.wrap, below this label"),
    Setting("journal.directory", "text", '"journal"', "where restore finds what was issued since a backup"),
    Setting("journal.keep", "lifetime", '"400d"', "how long it is kept: an older backup cannot be brought up to date"),
    Setting("retention.expired", "lifetime", '"90d"', "after that, an ended certificate is only found by its serial"),
    Setting("audit.witness", "text", '""', "the file or https URL that gets signed heads of the audit log"),
    Setting(
        "audit.witness_token", "text", '""', "a private file with the bearer token that the witness's URL asks for"
    ),
    Setting(
        "audit.witness_certificate", "text", '""', "a private file: the certificate that it asks for, chain and key"
    ),
    Setting("audit.witness_roots", "text", '""', "a file with roots in PEM that the witness's URL is trusted by, too"),
    Setting("notices.webhooks", "list of URLs", "[]", "what gets each notice by POST, signed"),
    Setting("notices.secret_file", "text", '""', "the file with the secret that webhooks are signed with"),
    Setting("notices.smtp", "text", '""', "the mail server, as mail.example.org:25; empty for no mail"),
    Setting("notices.sender", "text", '""', "the address that mail comes from"),
    Setting("notices.recipients", "list of texts", "[]", "who gets mail"),
    Setting("notices.networks", "list of texts", "[]", "private networks in which webhooks and the mail server may be"),
    Setting("notices.ahead", "list of lifetimes", '["30d", "7d", "1d"]', "how long before its end one is told of"),
    Setting(
        "serve.log_requests", "true or false", "false", "a line in the log for each request that a handler answered"
    ),
    Setting("tenants.NAME", "text", "", "the directory of another authority, served by the same process below /t/NAME"),
    Setting("profiles.NAME", "table", "", "a kind of certificate of one's own, or a built-in one changed"),
    Setting("profiles.NAME.allowed_names", "list of texts", "", "the names that the profile certifies, with stars"),
    Setting(
        "profiles.NAME.approvals", "number", "0", "how many others must approve a certificate that is enrolled for"
    ),
    Setting("limits.per_requester", "text", '""', 'how many certificates each requester gets, as "100/1m"; empty: any'),
    Setting("limits.per_profile", "text", '""', "how many certificates each profile gets in all"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What handfast.toml says, with the defaults for what it does not say."""

    issuer: str = ""
    crl_lifetime: timedelta = CRL_LIFETIME
    crl_shards: int = 0
    crl_deltas: bool = False
    ocsp_lifetime: timedelta = OCSP_LIFETIME
    service: str = ""
    urls: PublicationUrls = field(default_factory=PublicationUrls)
    store: str = "sqlite:ca.sqlite"
    keys: str = "file:keys"
    journal: JournalSettings = field(default_factory=JournalSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    audit: AuditSettings = field(default_factory=AuditSettings)
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    profiles: Mapping[str, Profile] = field(default_factory=lambda: dict(BUILT_IN))
    allowed_names: Mapping[str, tuple[NamePattern, ...]] = field(default_factory=dict)
    approvals: Mapping[str, int] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    serve: ServeSettings = field(default_factory=ServeSettings)
    est: Enrollment = field(default_factory=Enrollment)
    tenants: Mapping[str, str] = field(default_factory=dict)


def parse_settings(text: str, source: str = FILE) -> Settings:
    """The settings in the text of a handfast.toml. Raises ConfigError that names the file, the key, what it may be."""
    try:
        return _settings(_toml(text))
    except ConfigError as error:
        raise ConfigError(f"{source}: {error.message}", hint=error.hint) from None


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"this is not TOML: {error}", hint="mend that line; texts stand in quotes") from None


def _settings(table: Mapping[str, Any]) -> Settings:
    known = {setting.name.split(".")[0] for setting in SETTINGS}
    for key in table:
        if key not in known:
            raise ConfigError(f"there is no setting {key!r}", hint=nearest(key, known))
    _require_in_place(table)
    tables = {name: as_table(name, value) for name, value in as_table("profiles", table.get("profiles", {})).items()}
    allowed = {
        name: tuple(
            parse_pattern(one) for one in as_texts(f"profiles.{name}.allowed_names", value.pop("allowed_names"))
        )
        for name, value in tables.items()
        if "allowed_names" in value
    }
    approvals = {
        name: _approvals(name, value.pop("approvals")) for name, value in tables.items() if "approvals" in value
    }
    found = {key: parse(key, table[key]) for key, parse in _PARSERS.items() if key in table}
    own = {name: from_table(name, value) for name, value in tables.items() if value or name not in BUILT_IN}
    profiles = {**BUILT_IN, **own}
    require_profiles(found.get("est", Enrollment()), profiles)
    return Settings(**found, profiles=profiles, allowed_names=allowed, approvals=approvals)


def _place(key: str, value: object) -> str:
    text = as_text(key, value)
    if ":" not in text:
        raise ConfigError(f"{key} must be a kind and a place, not {text!r}", hint='write it as "sqlite:ca.sqlite"')
    return text


def _urls(key: str, value: object) -> PublicationUrls:
    return PublicationUrls(**as_fields(key, value, dict.fromkeys(("crl", "ocsp", "ca_issuers", "delta"), _url_list)))


def _url_list(key: str, value: object) -> tuple[str, ...]:
    return as_list(key, value, _url)


def _approvals(profile: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_APPROVALS:
        msg = f"profiles.{profile}.approvals must be a number from 0 to {MOST_APPROVALS}"
        raise ConfigError(msg, hint="write approvals = 1 for four eyes")
    return value


def _limits(key: str, value: object) -> Limits:
    return Limits(**as_fields(key, value, dict.fromkeys(("per_requester", "per_profile"), _rate)))


def _rate(key: str, value: object) -> Rate | None:
    text = as_text(key, value)
    try:
        return parse_rate(text) if text else None
    except ConfigError as error:
        raise ConfigError(f"{key}: {error.message}", hint=error.hint) from None


def _require_in_place(table: Mapping[str, Any]) -> None:
    """Refuse a setting of the whole file that was written below a [table], at the end of the file say."""
    names = {setting.name for setting in SETTINGS}
    for key, value in table.items():
        has_names_of_its_own = f"{key}.NAME" in names or not isinstance(value, dict)
        for name in () if has_names_of_its_own else value:
            if name in names and f"{key}.{name}" not in names:
                msg = f"{name} is a setting of the whole file, and stands in the table [{key}]"
                raise ConfigError(msg, hint="move its line up, above the first [table]")


def _url(key: str, value: object) -> str:
    text = as_text(key, value)
    if not text.isascii() or not text.isprintable() or not text.startswith(("http://", "https://")) or " " in text:
        path = "" if key == "service.url" else "/{issuer}.crl"
        raise ConfigError(f"{key} must be a URL, not {text!r}", hint=f"write http://pki.example.org{path}")
    return text


def _service(key: str, value: object) -> str:
    table = as_table(key, value)
    for name in table:
        if name != "url":
            raise ConfigError(f"there is no setting {key}.{name}", hint="write url")
    text = _url(f"{key}.url", table["url"]) if as_text(f"{key}.url", table.get("url", "")) else ""
    if text.startswith("https:"):
        msg = f"{key}.url must begin with http://, not {text!r}"
        raise ConfigError(msg, hint="relying parties fetch CRLs before they can trust anything")
    return text.rstrip("/")


def _shards(key: str, value: object) -> int:
    if value == 0 and not isinstance(value, bool):
        return 0
    number = as_number(key, value)
    if number > MOST_SHARDS:
        raise ConfigError(f"{key} must be at most {MOST_SHARDS}", hint="64 are enough for ten million certificates")
    return number


def _tenants(key: str, value: object) -> dict[str, str]:
    table = as_table(key, value)
    for name in table:
        if not _TENANT.fullmatch(name):
            msg = f"{key}.{name[:80]} is no name of a tenant"
            raise ConfigError(msg, hint="use small letters, digits and hyphens: it is a part of addresses")
    return {name: as_text(f"{key}.{name}", place) for name, place in table.items()}


_SERVE_PARSERS: Mapping[str, Callable[[str, object], Any]] = {
    "listen": as_text,
    "http": as_text,
    "metrics": as_text,
    "names": as_texts,
    "tls_minimum": as_text,
    "connections": as_number,
    "workers": as_number,
    "handshake_timeout": as_lifetime,
    "request_timeout": as_lifetime,
    "idle_timeout": as_lifetime,
    "stop_timeout": as_lifetime,
    "largest_body": as_number,
    "log_requests": as_switch,
}


def _serve(key: str, value: object) -> ServeSettings:
    return ServeSettings(**as_fields(key, value, _SERVE_PARSERS))


_PARSERS: Mapping[str, Callable[[str, object], Any]] = {
    "issuer": as_text,
    "crl_lifetime": as_lifetime,
    "ocsp_lifetime": as_lifetime,
    "crl_shards": _shards,
    "crl_deltas": as_switch,
    "service": _service,
    "urls": _urls,
    "store": _place,
    "keys": _place,
    "limits": _limits,
    "serve": _serve,
    "journal": parse_journal,
    "retention": parse_retention,
    "audit": parse_audit,
    "notices": parse_notices,
    "est": parse_est,
    "tenants": _tenants,
}


def urls_of(settings: Settings, issuer: str) -> PublicationUrls:
    """The publication URLs of one issuer: its name in place of `{issuer}`; what is not set is the service's own."""
    urls = settings.urls
    if settings.service:
        base = settings.service
        urls = replace(
            urls,
            crl=urls.crl or (f"{base}/crl/{{issuer}}.crl",),
            ocsp=urls.ocsp or (f"{base}/ocsp",),
            ca_issuers=urls.ca_issuers or (f"{base}/ca/{{issuer}}.cer",),
            delta=urls.delta or (f"{base}/crl/{{issuer}}-delta.crl",),
        )
    return PublicationUrls(
        crl=_filled(urls.crl, issuer),
        ocsp=_filled(urls.ocsp, issuer),
        ca_issuers=_filled(urls.ca_issuers, issuer),
        delta=_filled(urls.delta, issuer) if settings.crl_deltas else (),
        shards=settings.crl_shards,
    )


def _filled(urls: tuple[str, ...], issuer: str) -> tuple[str, ...]:
    return tuple(url.replace("{issuer}", issuer) for url in urls)
