"""Follow revocations, write them for a server, and have it reload."""

import json
import ssl
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
from cryptography import x509

from handfast import registry
from handfast.cli._options import examples, json_option, no_authority
from handfast.cli._output import note, say
from handfast.client.follow import Follower
from handfast.errors import ConfigError, HandfastError, Refused
from handfast.keys.files import PUBLIC, write_atomically
from handfast.pki import pem
from handfast.targets.contract import DenyList, Target, render_denylist

SECTION = "The authority"
# Signed lists are fetched anew as often, whatever the feed says.
CHECK = timedelta(minutes=10)
_PAUSE = 2.0
_SOON = 0.25
_TRIES = 40


@click.command(
    epilog=examples(
        "handfast follow https://ca.example.org:8443 --ca-file cas.pem --deny-list denied.txt",
        "handfast follow https://ca.example.org:8443 --ca-file cas.pem --crl crls.pem --reload 'nginx -s reload'",
    )
)
@click.argument("url")
@click.option("--ca-file", required=True, metavar="FILE", help="The root and the CAs below it, in PEM.")
@click.option("--issuer", "issuers", multiple=True, metavar="NAME", help="The CAs to follow [root, issuing].")
@click.option("--deny-list", metavar="FILE", help="Write the serial numbers that are revoked, in hex, one a line.")
@click.option("--target", metavar="TARGET", help="Write the deny-list as this program wants it; see handfast config.")
@click.option("--crl", "crl_file", metavar="FILE", help="Write the signed lists, in PEM, one after the other.")
@click.option("--reload", "reload_command", metavar="COMMAND", help="Run it in the shell after each change.")
@click.option("--once", is_flag=True, help="Write what is revoked now, and end.")
@no_authority("the service is its argument: handfast follow URL --ca-file FILE")
@json_option
def command(
    url: str,
    ca_file: str,
    issuers: tuple[str, ...],
    deny_list: str | None,
    target: str | None,
    crl_file: str | None,
    reload_command: str | None,
    once: bool,
    as_json: bool,
) -> None:
    """Follow the revocations of the service at URL until stopped.

    Each revocation is in the files within a second, and COMMAND is run. The lists are fetched and their signatures
    verified every ten minutes besides. While the service does not answer, the files stay as they are.
    """
    if deny_list is None and crl_file is None:
        raise ConfigError("nothing says what to write", hint="give --deny-list FILE, --crl FILE or both")
    follower = _follower(url, ca_file, issuers or ("root", "issuing"))
    files = _Files(deny_list, crl_file, reload_command, _form_of(target))
    follower.begin(_now())
    files.write(follower)
    while not once:
        try:
            _round(follower, files, as_json=as_json)
        except (HandfastError, ssl.SSLError) as error:
            note(f"{error}; what is known stays in force")
            time.sleep(_PAUSE)


def _round(follower: Follower, files: "_Files", *, as_json: bool) -> None:
    """Wait for news and write them; begin anew when the service's store was restored."""
    started = _now()
    if follower.heard_at is None or started - files.checked_at >= CHECK:
        follower.check(started)
        files.checked_at = started
        files.write(follower)
    try:
        news = follower.wait(started)
    except Refused as refused:
        if refused.code != "409":
            raise
        follower.begin(started)
        files.write(follower)
        return
    for one in news:
        told = {"issuer": one.issuer, "serial": f"{one.serial:x}", "reason": str(one.reason)}
        say(json.dumps(told) if as_json else " ".join(told.values()))
    if news:
        files.write(follower)
        files.write_signed(follower)


class _Files:
    """What is written, and what was written last."""

    def __init__(
        self, deny_list: str | None, crl_file: str | None, reload_command: str | None, form: DenyList | None
    ) -> None:
        self.form = form
        self.deny_list = deny_list
        self.crl_file = crl_file
        self.reload_command = reload_command
        self.checked_at = _now()

    def write(self, follower: Follower) -> None:
        """Both files, as far as they changed, and then the command."""
        serials = sorted({serial for listed in follower.serials.values() for serial in listed})
        plain = "".join(f"{serial:040x}\n" for serial in serials)
        texts = {self.deny_list: plain if self.form is None else render_denylist(self.form, tuple(serials))}
        texts[self.crl_file] = "".join(pem.to_pem(crl) for crl in follower.crls.values())
        changed = [name for name, text in texts.items() if name is not None and _replace(Path(name), text)]
        if changed and self.reload_command is not None:
            done = subprocess.run(self.reload_command, shell=True, check=False)  # noqa: S602  # the operator's own words
            if done.returncode:
                note(f"the command ended with {done.returncode}: {self.reload_command}")

    def write_signed(self, follower: Follower) -> None:
        """The lists that have the news, once the service has published them: within a second or so."""
        if self.crl_file is None:
            return
        before = {name: crl.last_update_utc for name, crl in follower.crls.items()}
        for _ in range(_TRIES):
            follower.check(_now())
            if any(crl.last_update_utc > before[name] for name, crl in follower.crls.items()):
                break
            time.sleep(_SOON)
        self.write(follower)


def _form_of(name: str | None) -> DenyList | None:
    if name is None:
        return None
    target: Target = registry.load("targets", name).target
    if target.denylist is None:
        raise ConfigError(f"{name} has no deny-list", hint="give it the signed lists: --crl FILE")
    return target.denylist


def _follower(url: str, ca_file: str, issuers: tuple[str, ...]) -> Follower:
    try:
        data = Path(ca_file).read_bytes()
    except OSError as error:
        raise ConfigError(f"{ca_file} cannot be read: {error.strerror}", hint="check the path") from None
    cas: tuple[x509.Certificate, ...] = pem.certificates(data, ca_file)
    context = ssl.create_default_context()
    roots = [one for one in cas if one.subject == one.issuer]
    if roots:
        context.load_verify_locations(cadata="".join(map(pem.to_pem, roots)))
    return Follower(url=url, issuers=issuers, cas=cas, context=context)


def _replace(path: Path, text: str) -> bool:
    if path.exists() and path.read_text() == text:
        return False
    write_atomically(path, text, mode=PUBLIC)
    return True


def _now() -> datetime:
    return datetime.now(UTC)
