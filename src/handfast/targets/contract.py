"""What a target is: a relying party's configuration as a function, and all one must know of the program as data.

A target is one file `targets/<name>.py` with the attribute `target: Target`; names in the file are the program's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from handfast.errors import ConfigError


class Status(StrEnum):
    """How sure we are: real handshakes, the program's or vendor's own syntax check, or the documentation only."""

    PROVEN = "proven"
    CHECKED = "checked"
    WRITTEN = "written"


class Group(StrEnum):
    """Where the target stands in the table of `handfast config`."""

    WEB = "web"
    MESSAGING = "messaging"
    DATABASE = "database"
    MAIL = "mail"
    NETWORK = "network"
    BROWSER = "browser"
    DEVICE = "device"
    CLOUD = "cloud"
    APPLICATION = "application"


class Level(StrEnum):
    """Mozilla's two usable levels (Server Side TLS 6.0): TLS 1.3 only, or TLS 1.2 with ECDHE and AEAD as well."""

    MODERN = "modern"
    INTERMEDIATE = "intermediate"


class Case(StrEnum):
    """The visitors that a server must tell apart; the matrix has one row for each."""

    USER = "user"
    DEVICE = "device"
    RSA = "rsa"
    NO_CERTIFICATE = "no-certificate"
    SELF_SIGNED = "self-signed"
    OTHER_CA = "other-ca"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    SERVER_ONLY = "server-only"
    BARE = "bare"
    NO_INTERMEDIATE = "no-intermediate"
    REVOKED = "revoked"
    REVOKED_RESUMED = "revoked-resumed"
    EXPIRED_RESUMED = "expired-resumed"


ADMITTED = (Case.USER, Case.DEVICE, Case.RSA)


class CrlForm(StrEnum):
    """How the program wants its CRLs. The writer of files follows this."""

    CONCATENATED = "concatenated"  # PEM one after another in Setting.crl
    DIRECTORY = "directory"  # Setting.crl is a directory of <hash>.r0 files, as `openssl rehash` names them
    IN_CA_FILE = "in-ca-file"  # appended to Setting.client_ca
    DER = "der"  # Setting.crl is one DER file: the CRL of the issuing CA
    NONE = "none"  # the program has none: see the deny-list


class BrokenCrl(StrEnum):
    """The ways in which a file of CRLs can be broken."""

    TRUNCATED = "truncated"
    EMPTY = "empty"
    EXPIRED = "expired"
    FORGED = "wrongly signed"
    OLDER = "older"


class Harm(StrEnum):
    """What comes of a broken file that was copied over the good one by hand, and reloaded without a look.

    In the order of how bad it is.
    """

    NONE = "everything goes on"
    LOCKED_OUT = "nobody gets in"
    DOWN = "the server ended"
    LET_IN = "the revoked client got in"

    def is_worse_than(self, other: "Harm") -> bool:
        """Whether one would rather have the other."""
        return list(Harm).index(self) > list(Harm).index(other)


# A program that checks files before it takes them cannot know that there was a newer one, or that everybody is about
# to be refused.
USUAL_HARMS: Mapping[BrokenCrl, Harm] = {
    BrokenCrl.TRUNCATED: Harm.NONE,
    BrokenCrl.EMPTY: Harm.NONE,
    BrokenCrl.EXPIRED: Harm.LOCKED_OUT,
    BrokenCrl.FORGED: Harm.LOCKED_OUT,
    BrokenCrl.OLDER: Harm.LET_IN,
}


class CrlScope(StrEnum):
    """Whose CRLs the program demands."""

    WHOLE_CHAIN = "whole chain"
    LEAF_ISSUER = "leaf issuer only"
    NOBODY = "nobody"


class IdentityForm(StrEnum):
    """How the program wants its own certificate and key."""

    SEPARATE = "separate"  # Setting.certificate (leaf and intermediates) and Setting.key
    COMBINED = "combined"  # Setting.certificate holds both: key, leaf, intermediates; Setting.key is the same path
    PKCS12 = "pkcs12"  # Setting.certificate is a PKCS#12 file
    NONE = "none"  # a target that has no certificate of its own here (a browser, a cloud)


class SerialForm(StrEnum):
    """How the program spells a serial number. Hexadecimal is always whole bytes: a leading zero is kept."""

    UPPER_HEX = "upper hex"
    LOWER_HEX = "lower hex"
    DECIMAL = "decimal"


def spell_serial(serial: int, form: SerialForm) -> str:
    """The serial number as programs of this kind print and compare it."""
    if form is SerialForm.DECIMAL:
        return str(serial)
    digits = f"{serial:x}"
    digits = digits.zfill(len(digits) + len(digits) % 2)
    return digits.upper() if form is SerialForm.UPPER_HEX else digits


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A file for the operator. `path` is absolute as Setting's are; `comment` is one line: what it is for."""

    path: str
    content: str
    mode: int = 0o644
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a configuration is rendered from. Paths are absolute, and as the program will see them.

    certificate: the server's, leaf first, then intermediates (see IdentityForm). client_ca: the trust anchors of the
    clients, roots only: clients send their intermediates. crl: file or directory (see CrlForm). depth: how many CA
    certificates may stand above a leaf, the root included: 2 for root and issuing. listen: "" is every address.
    upstream: the application behind, as "127.0.0.1:8000". revoked: serial numbers for the deny-list. version: the
    program's, when detected; what is newer than Debian 12's is rendered only then. options: the target's own.
    """

    names: tuple[str, ...]
    directory: str
    certificate: str
    key: str
    client_ca: str
    crl: str
    port: int
    listen: str = ""
    level: Level = Level.INTERMEDIATE
    depth: int = 2
    upstream: str = ""
    denylist: str = ""
    revoked: tuple[int, ...] = ()
    version: tuple[int, ...] | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    def file(self, name: str) -> str:
        """The path of a file beside the others."""
        return f"{self.directory}/{name}"

    @property
    def name(self) -> str:
        """The first of the server's names."""
        return self.names[0]


@dataclass(frozen=True, slots=True)
class Check:
    """How the program itself tests what was rendered: files for a scratch directory, and the command to run there.

    Every `{scratch}` in the command and in the files' paths and contents stands for that directory.
    """

    command: tuple[str, ...]
    files: tuple[RenderedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refused client sees, and the words in the program's log that tell the true reason ("" = it logs none)."""

    case: Case
    client: str
    log: str = ""


@dataclass(frozen=True, slots=True)
class Weakness:
    """A visitor that the program cannot refuse by itself as rendered: what happens, and the remedy. Never hidden."""

    case: Case
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class DenyList:
    """A list of revoked serial numbers that the program consults itself.

    name: its file. entry: one line, with `{serial}`. hot: the command that adds one to the running program, if any.
    heading: a first line, for programs that take no empty file.
    """

    form: SerialForm
    name: str
    entry: str
    hot: str = ""
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Where the program takes the client's identity from, and how it hands it on."""

    source: str
    handed_on: str


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of one target only: `--option name=value`."""

    name: str
    default: str
    help: str


@dataclass(frozen=True, slots=True)
class Since:
    """A feature and the first version of the program that has it."""

    version: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A relying party. Sentences are plain English without a full stop; commands are for a shell as they stand.

    directory: where the files go by default. install: what to do with them, one step each. test, reload: commands
    for the operator ("" = the program has none: say so in install). check: the test that `handfast config` runs
    itself when `executable` is on PATH. kick: how to cut sessions that are already open. broken_crl: what the
    program does with a broken CRL file, and the procedure that is safe; harms: the worst that was seen of
    each way when it was rehearsed. minimum: the oldest version that works.
    """

    name: str
    title: str
    group: Group
    status: Status
    render: Callable[[Setting], tuple[RenderedFile, ...]]
    directory: str
    install: tuple[str, ...]
    minimum: str
    identity: Identity
    refusals: tuple[Refusal, ...]
    executable: str = ""
    packages: tuple[str, ...] = ()
    port: int = 443
    test: str = ""
    reload: str = ""
    kick: str = ""
    depth: str = ""
    resumption: str = ""
    broken_crl: str = ""
    harms: Mapping[BrokenCrl, Harm] = field(default_factory=lambda: USUAL_HARMS)
    crl: CrlForm = CrlForm.CONCATENATED
    crl_scope: CrlScope = CrlScope.WHOLE_CHAIN
    identity_form: IdentityForm = IdentityForm.SEPARATE
    denylist: DenyList | None = None
    weaknesses: tuple[Weakness, ...] = ()
    newer: tuple[Since, ...] = ()
    options: tuple[Option, ...] = ()
    check: Callable[[Setting], Check] | None = None

    def weakness(self, case: Case) -> Weakness | None:
        """Why this visitor is let in, when it is."""
        return next((weakness for weakness in self.weaknesses if weakness.case is case), None)

    def option(self, setting: Setting, name: str) -> str:
        """The value of one of the target's own options, or its default.

        Raises ConfigError for an option that the target does not have.
        """
        known = {option.name: option.default for option in self.options}
        if name not in known:
            raise ConfigError(
                f"{self.name} has no option {name!r}", hint=f"its options are: {', '.join(known) or 'none'}"
            )
        return setting.options.get(name, known[name])


def render_denylist(denylist: DenyList, serials: tuple[int, ...]) -> str:
    """The content of the deny-list: one entry a line, in the program's own notation."""
    lines = (denylist.entry.format(serial=spell_serial(serial, denylist.form)) for serial in sorted(serials))
    heading = (denylist.heading,) if denylist.heading else ()
    return "".join(f"{line}\n" for line in (*heading, *lines))
