"""From a target to files on disk: everything is judged before anything is written, each file appears whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from handfast.errors import Malformed, Unavailable
from handfast.keys.files import write_atomically
from handfast.pki import pem
from handfast.prove.crl_files import Crl, crl_files, der_of, is_signed_by, read_crls, require_usable
from handfast.targets.contract import CrlForm, IdentityForm, Level, RenderedFile, Setting, Target, render_denylist


@dataclass(frozen=True, slots=True)
class Material:
    """What a server is given, in PEM. cas: the CAs whose CRLs it must have, root first; anchors: the roots alone.

    chain: leaf and intermediates; both chain and key "" when the operator's own files are referred to in place.
    """

    chain: str
    key: str
    anchors: str
    cas: str
    crls: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a configuration goes and what it is for; the rest of Setting follows from the target."""

    directory: Path
    names: tuple[str, ...]
    port: int
    listen: str = ""
    level: Level = Level.INTERMEDIATE
    depth: int = 2
    upstream: str = ""
    revoked: tuple[int, ...] = ()
    certificate: str = ""
    key: str = ""
    version: tuple[int, ...] | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def setting_for(target: Target, place: Place) -> Setting:
    """The paths of a target's files, beside each other in one directory."""
    at = place.directory.absolute().as_posix()
    combined = target.identity_form is not IdentityForm.SEPARATE
    suffix = "p12" if target.identity_form is IdentityForm.PKCS12 else "pem"
    certificate = place.certificate or f"{at}/server.{suffix}"
    key = certificate if combined else place.key or f"{at}/server.key"
    crl = {CrlForm.DIRECTORY: "crls", CrlForm.DER: "crl.der", CrlForm.IN_CA_FILE: "client-ca.pem"}
    # A program without CRLs has nothing but its deny-list, from the first day; one that takes entries while it runs
    # must have been started with the list.
    denies = place.revoked or target.crl is CrlForm.NONE or (target.denylist and target.denylist.hot)
    return Setting(
        names=place.names,
        directory=at,
        certificate=certificate,
        key=key,
        client_ca=f"{at}/client-ca.pem",
        crl=f"{at}/{crl.get(target.crl, 'crls.pem')}",
        port=place.port,
        listen=place.listen,
        level=place.level,
        depth=place.depth,
        upstream=place.upstream,
        denylist=f"{at}/{target.denylist.name}" if target.denylist and denies else "",
        revoked=place.revoked,
        version=place.version,
        options=place.options,
    )


def files_for(target: Target, setting: Setting, material: Material, now: datetime) -> tuple[RenderedFile, ...]:
    """Every text file that a configuration consists of; nothing is written yet.

    Raises Unacceptable for CRLs that would harm the server, ConfigError or Malformed for what cannot work.
    """
    previous = _previous_crls(target, setting)
    if target.crl is not CrlForm.NONE:
        crls = read_crls(material.crls)
        require_usable(crls, pem.certificates(material.cas.encode(), "the CAs"), now, previous)
    return (
        *_identity(target, setting, material),
        *trust_files(target, setting, material),
        *target.render(setting),
    )


def trust_files(target: Target, setting: Setting, material: Material) -> tuple[RenderedFile, ...]:
    """What changes with a revocation: client CAs, CRLs and deny-list, without judging them."""
    inside = material.crls if target.crl is CrlForm.IN_CA_FILE else ""
    files = [RenderedFile(setting.client_ca, material.anchors + inside, comment="the roots that clients come from")]
    if target.crl in {CrlForm.CONCATENATED, CrlForm.DIRECTORY}:
        files += crl_files(target.crl, setting.crl, read_crls(material.crls))
    if target.denylist and setting.denylist:
        content = render_denylist(target.denylist, setting.revoked)
        files.append(RenderedFile(setting.denylist, content, comment="serial numbers that are refused"))
    return tuple(files)


def _identity(target: Target, setting: Setting, material: Material) -> tuple[RenderedFile, ...]:
    if not material.chain or target.identity_form in {IdentityForm.NONE, IdentityForm.PKCS12}:
        return ()
    if target.identity_form is IdentityForm.COMBINED:
        both = material.key + material.chain
        return (RenderedFile(setting.certificate, both, 0o600, "the server's key and certificate chain"),)
    return (
        RenderedFile(setting.certificate, material.chain, comment="the server's certificate chain"),
        RenderedFile(setting.key, material.key, 0o600, "the server's key"),
    )


def _previous_crls(target: Target, setting: Setting) -> tuple[Crl, ...]:
    """What the program has now; what cannot be read any more does not count."""
    path = Path(setting.client_ca if target.crl is CrlForm.IN_CA_FILE else setting.crl)
    paths = sorted(path.glob("*.r0")) if target.crl is CrlForm.DIRECTORY else [path]
    found: list[Crl] = []
    for one in paths:
        try:
            found += pem.read(one.read_bytes(), source=one.name).crls
        except (OSError, Malformed):
            continue
    return tuple(found)


def write_files(files: tuple[RenderedFile, ...]) -> None:
    """Write each file whole or not at all. Raises Unavailable when the directory cannot be written."""
    for file in files:
        _write(Path(file.path), file.content.encode(), mode=file.mode)


def write_trust(target: Target, setting: Setting, material: Material) -> None:
    """Write what changes with a revocation, in the program's form. Judges nothing: files_for() does."""
    write_files(trust_files(target, setting, material))
    if target.crl is CrlForm.DER:
        cas = pem.certificates(material.cas.encode(), "the CAs")
        issued = next(crl for crl in read_crls(material.crls) if is_signed_by(crl, cas[-1]))
        _write(Path(setting.crl), der_of(issued), mode=0o644)


def write_all(target: Target, setting: Setting, material: Material, now: datetime) -> tuple[RenderedFile, ...]:
    """Judge, then write everything; gives the files."""
    files = files_for(target, setting, material, now)
    write_files(files)
    write_trust(target, setting, material)
    return files


def _write(path: Path, data: bytes, *, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data, mode=mode)
    except OSError as error:
        hint = "choose a directory of yours with --out, or run this as the user who owns it"
        raise Unavailable(f"{path}: {(error.strerror or str(error)).lower()}", hint=hint) from None
