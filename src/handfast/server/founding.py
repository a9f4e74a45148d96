"""New authorities and new issuers: made here, imported, or certified by somebody else.

A new authority is built in a directory beside its place and renamed into it: it is there whole, or not at all.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from cryptography import x509

from handfast.ca import issuing
from handfast.ca.audit_head import AUDIT_KEY
from handfast.ca.authority import Authority
from handfast.ca.issuer import Issuer
from handfast.ca.order import Order
from handfast.ca.ports import Clock
from handfast.ca.records import IssuerRecord, Role
from handfast.errors import ConfigError, Conflict
from handfast.keys.files import make_directory, remove_unless_held, sync, write_atomically
from handfast.keys.generate import generate_key
from handfast.keys.passphrase import PassphraseSource
from handfast.pki.draft import Holder, draft_certificate
from handfast.pki.issuer_identity import self_issuer
from handfast.pki.keys import KeyKind, PrivateKey, describe_key, kind_of
from handfast.pki.subject import parse_subject
from handfast.server.assembly import Parts, assemble, issuer_of, open_parts, utc_now
from handfast.server.audit_key import audit_key
from handfast.server.layout import ANCHORS, CHAIN, CROSSES, der_of, publish_crl, write_certificates
from handfast.server.settings import FILE, SETTINGS

ROOT = "root"
ISSUING = "issuing"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LOCK = ".founding"
# certificates/NAME.pem is a CA's own certificate, but for these.
_TAKEN = frozenset({AUDIT_KEY, *(Path(one).stem for one in (CHAIN, ANCHORS, CROSSES))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a new authority shall be. name: what it is called, as `Example`; its CAs are `Example Root CA` and so on.

    subject: more attributes of the CAs' names, as `O=Example,C=DE`. lifetimes: None for the profiles'.
    settings: the text of handfast.toml.
    """

    name: str
    subject: str = ""
    key_kind: KeyKind = KeyKind.P256
    root_lifetime: timedelta | None = None
    issuing_lifetime: timedelta | None = None
    settings: str = ""


def create_authority(directory: Path, plan: Plan, *, passphrase: PassphraseSource, clock: Clock = utc_now) -> Authority:
    """A new authority with a root and an issuing CA, their CRLs, and its directory. Close its store when done.

    passphrase: asked for the keys `root` and `issuing`; None from it keeps that key unencrypted, on record.
    Raises Conflict when something is in the directory already.
    """

    def found(parts: Parts) -> None:
        add_root(parts, plan)
        add_issuing(parts, plan, name=ISSUING, parent=ROOT)
        audit_key(parts)
        publish(parts)

    return build(directory, plan.settings, found, passphrase=passphrase, clock=clock)


def build(
    directory: Path, settings: str, found: Callable[[Parts], None], *, passphrase: PassphraseSource, clock: Clock
) -> Authority:
    """A directory that appears whole, with what `found` puts into it; opened."""
    with building_site(directory) as site:
        write_atomically(site / FILE, settings or default_settings())
        parts = open_parts(site, passphrase=passphrase, clock=clock)
        try:
            found(parts)
        finally:
            parts.store.close()
    return assemble(open_parts(directory, passphrase=passphrase, clock=clock))


def default_settings(store: str = "") -> str:
    """A handfast.toml that says every default, commented out. store: where it is kept instead of the default."""
    lines = ["# Settings of this authority. What is commented out shows the default.", ""]
    plain = [setting for setting in SETTINGS if setting.default]
    for setting in plain:
        if "." not in setting.name:
            is_set = setting.name == "store" and bool(store)
            said = f"store = {json.dumps(store)}" if is_set else f"#{setting.name} = {setting.default}"
            lines += [f"# {setting.help}", said, ""]
    for table in dict.fromkeys(setting.name.partition(".")[0] for setting in plain if "." in setting.name):
        lines.append(f"#[{table}]")
        for setting in plain:
            if setting.name.startswith(f"{table}."):
                lines += [f"# {setting.help}", f"#{setting.name.removeprefix(f'{table}.')} = {setting.default}"]
        lines.append("")
    return "\n".join(lines)


def add_root(parts: Parts, plan: Plan) -> Issuer:
    """A self-signed root CA, named `root`."""
    draft = draft_root(parts, plan, ROOT)
    decision = issuing.decide(
        draft.order, parts.settings.profiles[ROOT], draft.issuer, serial=parts.new_serial(), now=parts.clock()
    )
    issued = issuing.carry_out([decision], parts.store)[0]
    return register(parts, issued.certificate, (), name=ROOT, role=Role.ROOT, is_encrypted=draft.is_encrypted)


@dataclass(frozen=True, slots=True)
class RootDraft:
    """A root that is not signed yet: what it is ordered by, and what stands in for it as the issuer of itself."""

    order: Order
    issuer: Issuer
    is_encrypted: bool


def draft_root(parts: Parts, plan: Plan, name: str) -> RootDraft:
    """Make and keep the key of a root, and decide its subject and its bounds. Raises Conflict as key_for() does."""
    key, is_encrypted = key_for(parts, name, plan.key_kind)
    subject = root_subject(plan, name)
    identity = self_issuer(subject, key.public_key())
    draft = draft_certificate(
        parts.settings.profiles[ROOT],
        Holder(subject, (), key.public_key()),
        issuer=identity,
        serial=parts.new_serial(),
        now=parts.clock(),
        lifetime=plan.root_lifetime,
    )
    itself = Issuer(
        name=name,
        role=Role.ROOT,
        identity=replace(identity, not_before=draft.not_before, not_after=draft.not_after),
        certificate=draft.unsigned(),
        chain=(),
        unlock=lambda: key,
    )
    order = Order(profile=ROOT, public_key=key.public_key(), subject=subject, lifetime=plan.root_lifetime, issuer=name)
    return RootDraft(order, itself, is_encrypted)


def root_subject(plan: Plan, name: str) -> x509.Name:
    """What a root is called: every one but the first with its own name after it."""
    return parse_subject(_subject(plan, "Root CA" if name == ROOT else f"Root CA {name}"))


def add_issuing(parts: Parts, plan: Plan, *, name: str, parent: str | None = None) -> Issuer:
    """An issuing CA below a CA of this authority, whose key must be there. The newest is the default from now on;
    those before keep their keys, for their CRLs. parent: None for the newest root.

    Raises Conflict for a name that is taken, ConfigError without the key.
    """
    require_free_name(parts, name)
    authority = assemble(parts)
    above = authority.issuer(parent or _newest_root(authority))
    above.unlock()
    key, is_encrypted = key_for(parts, name, plan.key_kind)
    label = "Issuing CA" if name == ISSUING else f"Issuing CA {name}"
    issued = authority.issue(
        Order(
            profile=ISSUING,
            public_key=key.public_key(),
            subject=parse_subject(_subject(plan, label)),
            lifetime=plan.issuing_lifetime,
            issuer=above.name,
        )
    )
    chain = (above.certificate, *above.chain)
    return register(parts, issued.certificate, chain, name=name, role=Role.ISSUING, is_encrypted=is_encrypted)


def _newest_root(authority: Authority) -> str:
    roots = [name for name, one in authority.issuers.items() if one.role is Role.ROOT]
    if not roots:
        hint = "name a CA with --below, or make a root: handfast issuer new-root NAME --alone"
        raise ConfigError("this authority has no root of its own to be below", hint=hint)
    return roots[-1]


def register(  # the record of an issuer has these parts
    parts: Parts,
    certificate: x509.Certificate,
    chain: tuple[x509.Certificate, ...],
    *,
    name: str,
    role: Role,
    is_encrypted: bool,
) -> Issuer:
    """Put a CA on record whose key is kept already."""
    record = IssuerRecord(
        name=name,
        role=role,
        certificate=der_of(certificate),
        chain=tuple(map(der_of, chain)),
        created_at=parts.clock(),
        is_encrypted=is_encrypted,
    )
    encryption = "argon2id" if is_encrypted else "none"
    parts.store.add_issuer(record, parts.record("issuer.added", issuer=name, role=role.value, encryption=encryption))
    return issuer_of(parts, record)


def require_free_name(parts: Parts, name: str) -> None:
    """Raise ConfigError for a name that cannot be a file's, Conflict for one that an issuer has."""
    if not _NAME.fullmatch(name) or name in _TAKEN:
        hint = f"use up to 40 small letters, digits and hyphens; taken are {', '.join(sorted(_TAKEN))}"
        raise ConfigError(f"{name!r} cannot be the name of an issuer", hint=hint)
    if any(record.name == name for record in parts.store.issuers()):
        raise Conflict(f"there is an issuer {name!r} already", hint="choose another name")


def key_for(parts: Parts, name: str, kind: KeyKind) -> tuple[PrivateKey, bool]:
    """A new key, kept, and whether it is encrypted; or the one that an interrupted attempt left without an issuer.

    Raises Conflict when what was left is of another kind.
    """
    if name in parts.keys.names():
        left = parts.keys.load(name)
        if kind_of(left.public_key()) is not kind:
            msg = f"an interrupted attempt left a key {name}: {describe_key(left.public_key())}, not {kind}"
            raise Conflict(msg, hint=f"take that key for the issuer with --key, or move the key {name} away")
        return left, parts.keys.is_encrypted(name)
    key = generate_key(kind)
    return key, parts.keys.save(name, key)


def _subject(plan: Plan, role: str) -> str:
    escaped = re.sub(r'([,+"\\<>;=#])', r"\\\1", f"{plan.name} {role}")
    return f"CN={escaped},{plan.subject}" if plan.subject else f"CN={escaped}"


def publish(parts: Parts) -> None:
    """Write the certificates and a CRL of every CA into the authority's directory."""
    authority = assemble(parts)
    write_certificates(parts.directory, authority)
    for name in authority.issuers:
        publish_crl(parts.directory, authority, name)


@contextmanager
def building_site(directory: Path) -> Iterator[Path]:
    """A private directory beside the place, which becomes the place when all went well."""
    directory = directory.absolute()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        hint = "choose another directory, or use the authority that is there"
        raise Conflict(f"{directory} exists already and is not empty", hint=hint)
    make_directory(directory.parent, mode=0o755)
    _clear_abandoned(directory)
    site = directory.with_name(f".{directory.name}.{os.getpid()}.founding")
    try:
        site.mkdir(mode=0o700)
    except OSError as error:
        msg = f"{directory} cannot be made: {error.strerror} in {directory.parent}"
        raise ConfigError(msg, hint="choose a place in a directory that you may write") from None
    lock = os.open(site / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield site
        (site / _LOCK).unlink()
        sync(site)
        site.rename(directory)
        sync(directory.parent)
    except OSError as error:
        raise ConfigError(f"{directory} cannot be made: {error}", hint="choose another place") from None
    finally:
        os.close(lock)
        shutil.rmtree(site, ignore_errors=True)


def _clear_abandoned(directory: Path) -> None:
    """What a killed attempt left beside the place, with its keys; one that is still at work holds its lock."""
    for site in directory.parent.glob(f".{directory.name}.*.founding"):
        try:
            lock = os.open(site / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        remove_unless_held(site, lock)
