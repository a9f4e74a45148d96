"""Settings become an Authority: store, keys and profiles loaded by name, from an authority's directory."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import ModuleType

from cryptography import x509

from handfast import registry
from handfast.ca.authority import Authority
from handfast.ca.crossing import valid_crosses, with_crosses
from handfast.ca.issuer import Issuer
from handfast.ca.policy import OPERATOR, Policy
from handfast.ca.ports import Clock, KeyStore, NewSerial, Randomness, Store
from handfast.ca.records import AuditEvent, IssuerRecord, Role
from handfast.errors import ConfigError
from handfast.keys.generate import generate_key, new_serial, random_octets
from handfast.keys.passphrase import PassphraseSource
from handfast.pki.issuer_identity import PublicationUrls, identity_of
from handfast.pki.keys import PrivateKey
from handfast.server.journal import FileJournal
from handfast.server.ocsp_memory import Memory
from handfast.server.settings import FILE, Settings, parse_settings, urls_of
from handfast.stores.migrations import Watch, unwatched

_SETTINGS_NOTE = "settings"


def utc_now() -> datetime:
    """The clock of the machine."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an authority is put together from."""

    directory: Path
    settings: Settings
    store: Store
    keys: KeyStore
    clock: Clock = utc_now
    new_serial: NewSerial = field(default=new_serial)

    def record(self, action: str, *, issuer: str = "", **detail: str) -> AuditEvent:
        """An audit event of the person at the machine, now."""
        return AuditEvent(at=self.clock(), actor=OPERATOR.name, action=action, issuer=issuer, detail=detail)


def open_authority(directory: Path, *, passphrase: PassphraseSource, clock: Clock = utc_now) -> Authority:
    """The authority in this directory. Asks for no passphrase until a key is needed.

    Close its store when done. Raises ConfigError when there is none or its settings cannot work, Unavailable when its
    store does not answer.
    """
    parts = open_parts(directory, passphrase=passphrase, clock=clock)
    return assemble(parts)


def open_parts(
    directory: Path,
    *,
    passphrase: PassphraseSource,
    clock: Clock = utc_now,
    store: str | None = None,
    watch: Watch = unwatched,
) -> Parts:
    """The store, keys and settings of the authority in this directory. store: instead of the one in the settings.

    watch: told while a store of an earlier handfast is brought up to date, which may take minutes.
    """
    text = settings_text(directory)
    settings = parse_settings(text, str(directory / FILE))
    store_module, store_place = plugin("stores", store or settings.store)
    keys_module, keys_place = plugin("keys", settings.keys)
    keys: KeyStore = keys_module.open_keys(located(directory, keys_place), passphrase)
    opened: Store = store_module.open_store(located(directory, store_place), watch)
    opened = opened.with_journal(FileJournal(directory / settings.journal.directory))
    parts = Parts(directory=directory, settings=settings, store=opened, keys=keys, clock=clock)
    _note_settings(parts, text)
    return parts


def settings_text(directory: Path) -> str:
    """The settings as they are written. Raises ConfigError when no authority is in this directory."""
    path = directory / FILE
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        msg = f"there is no authority in {directory}"
        raise ConfigError(msg, hint="make one with `handfast init`, or say where it is with --ca DIR") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", hint="mend the file, or its permissions") from None


def plugin(room: str, text: str) -> tuple[ModuleType, str]:
    """The plugin's module and the place, of `kind:place`."""
    kind, _, place = text.partition(":")
    return registry.load(room, kind), place


def located(directory: Path, place: str) -> str:
    """A place that is a file or directory is relative to the authority's directory; a URL stands as it is."""
    return place if place.startswith("//") else str(directory / place)


def assemble(parts: Parts) -> Authority:
    """The authority of these parts, with the issuers that its store knows."""
    known = {record.name: issuer_of(parts, record) for record in parts.store.issuers()}
    issuers = with_crosses(known, valid_crosses(parts.store, parts.clock()))
    return Authority(
        issuers=issuers,
        default_issuer=_default(parts.settings, issuers),
        profiles=parts.settings.profiles,
        policy=Policy(parts.settings.allowed_names, parts.settings.approvals),
        limits=parts.settings.limits,
        store=parts.store,
        clock=parts.clock,
        new_serial=parts.new_serial,
        crl_lifetime=parts.settings.crl_lifetime,
        has_deltas=parts.settings.crl_deltas,
        ocsp_memory=Memory(),
        ocsp_lifetime=parts.settings.ocsp_lifetime,
        enrollment=parts.settings.est,
        randomness=Randomness(generate_key, random_octets),
    )


def issuer_of(parts: Parts, record: IssuerRecord) -> Issuer:
    """The issuer of a record; its key is loaded when it is first used, and then kept."""
    certificate = x509.load_der_x509_certificate(record.certificate)
    return Issuer(
        name=record.name,
        role=record.role,
        identity=identity_of(certificate, _urls_of(parts.settings, record)),
        certificate=certificate,
        chain=tuple(x509.load_der_x509_certificate(one) for one in record.chain),
        unlock=cache(_unlocking(parts.keys, record.name)),
    )


def _urls_of(settings: Settings, record: IssuerRecord) -> PublicationUrls:
    urls = urls_of(settings, record.name)
    # A root signs a handful of CAs: it needs neither shards nor deltas.
    return replace(urls, shards=0, delta=()) if record.role is Role.ROOT else urls


def _unlocking(keys: KeyStore, name: str) -> Callable[[], PrivateKey]:
    return lambda: keys.load(name)


def _default(settings: Settings, issuers: dict[str, Issuer]) -> str:
    if settings.issuer:
        if settings.issuer not in issuers:
            msg = f"{FILE} names the issuer {settings.issuer!r}, which is not there"
            raise ConfigError(msg, hint=f"the issuers are: {', '.join(issuers) or 'none yet'}")
        return settings.issuer
    newest = [name for name, issuer in issuers.items() if issuer.role is Role.ISSUING]
    return newest[-1] if newest else next(iter(issuers), "")


def _note_settings(parts: Parts, text: str) -> None:
    """A change of settings is an audit event: the file is edited by hand, so it is noticed when it is next read."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    before = parts.store.note(_SETTINGS_NOTE)
    if before != digest:
        event = parts.record("settings.changed", before=before or "", after=digest)
        parts.store.set_note(_SETTINGS_NOTE, digest, event)
