"""Configure a server, network or device for client certificates."""

from datetime import UTC, datetime
from pathlib import Path

import click

from handfast.cli._options import directory_options, examples, json_option
from handfast.cli._output import print_json, print_table, say
from handfast.cli._session import Session
from handfast.errors import ConfigError
from handfast.prove.check import Verdict
from handfast.prove.deploy import Place
from handfast.prove.find import version_of
from handfast.targets.contract import Group, Level, RenderedFile, Setting, Target

SECTION = "Servers and clients"


@click.command(
    epilog=examples(
        "handfast config",
        "handfast config nginx www.example.org",
        "handfast config apache www.example.org --upstream 127.0.0.1:8000 --out ./apache",
        "handfast config haproxy www.example.org --certificate site.pem --key site.key",
    )
)
@click.argument("target_name", required=False, metavar="[TARGET]")
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option("--name", "more_names", multiple=True, metavar="NAME", help="A name of the server; the same as NAME.")
@click.option("--out", metavar="DIR", help="Where the files go [./config/TARGET].")
@click.option("--certificate", metavar="FILE", help="The server's chain, leaf first [./issued/NAME/fullchain.pem].")
@click.option("--key", metavar="FILE", help="Its key [./issued/NAME/key.pem].")
@click.option(
    "--client-ca", multiple=True, metavar="FILE", help="The clients' CAs, root and issuing [the authority's]."
)
@click.option("--crl", multiple=True, metavar="FILE", help="Their CRLs [the authority's].")
@click.option("--port", type=click.IntRange(1, 65535), metavar="N", help="Where it listens [the target's usual port].")
@click.option("--listen", default="", metavar="ADDRESS", help="On this address only.")
@click.option("--level", type=click.Choice(["modern", "intermediate"]), default="intermediate", help="Mozilla's level.")
@click.option("--depth", type=click.IntRange(1, 8), default=2, metavar="N", help="CAs above a client, root too [2].")
@click.option("--upstream", default="", metavar="HOST:PORT", help="The application behind.")
@click.option("--deny", multiple=True, metavar="SERIAL", help="Refuse this serial number (hexadecimal) too.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="A setting of this target only.")
@directory_options("leave --server out: name the directory with --ca, or give --client-ca FILE and --crl FILE")
@json_option
@click.pass_context
def command(context: click.Context, /, target_name: str | None, names: tuple[str, ...], **given: object) -> int:
    """Configure a server, network or device for client certificates.

    Everything is judged first: the names, the key, the certificate's purpose, the CRLs. Then the files are written,
    each whole, and the program's own test is run when it is on this machine. Without TARGET: a list of all.
    """
    as_json = bool(given["as_json"])
    if target_name is None:
        return _list(as_json)
    from handfast import registry

    target: Target = registry.load("targets", target_name).target
    wanted = (*names, *_texts(given["more_names"]))
    if not wanted:
        raise ConfigError("the server has no name", hint=f"as in: handfast config {target_name} www.example.org")
    directory = Path(context.ensure_object(Session).directory)
    setting, files, verdict = _write(target, wanted, directory, given)
    if as_json:
        print_json(_described(target, setting, files, verdict))
    else:
        _tell(target, setting, files, verdict)
    return 1 if verdict and not verdict.passed and not verdict.lacks_rights else 0


def _write(
    target: Target, names: tuple[str, ...], authority: Path, given: dict[str, object]
) -> tuple[Setting, tuple[RenderedFile, ...], Verdict | None]:
    from handfast.pki.names import parse_name
    from handfast.prove.check import own_test
    from handfast.prove.deploy import setting_for, write_all
    from handfast.prove.gather import Sources, gather, sources_for
    from handfast.targets.contract import CrlForm, IdentityForm

    names = tuple(parse_name(name).value for name in names)
    place = _place(target, names, given)
    paths = Sources(
        Path(str(given["certificate"] or "")),
        Path(str(given["key"] or "")),
        tuple(map(Path, _texts(given["client_ca"]))),
        tuple(map(Path, _texts(given["crl"]))),
    )
    sources = sources_for(names[0], authority, paths)
    now = datetime.now(UTC)
    needs_server = target.identity_form not in {IdentityForm.NONE, IdentityForm.PKCS12}
    material = gather(sources, names, now, needs_crls=target.crl is not CrlForm.NONE, needs_server=needs_server)
    setting = setting_for(target, place)
    files = write_all(target, setting, material, now)
    return setting, files, own_test(target, setting)


def _place(target: Target, names: tuple[str, ...], given: dict[str, object]) -> Place:
    port = given["port"]
    return Place(
        directory=Path(str(given["out"] or f"config/{target.name}")).absolute(),
        names=names,
        port=port if isinstance(port, int) else target.port,
        listen=str(given["listen"]),
        level=Level(str(given["level"])),
        depth=int(str(given["depth"])),
        upstream=str(given["upstream"]),
        revoked=tuple(_serial(text) for text in _texts(given["deny"])),
        version=version_of(target),
        options=_options(target, _texts(given["options"])),
    )


def _options(target: Target, texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    known = [option.name for option in target.options]
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            hint = f"its options are: {', '.join(known) or 'none'}; write --option NAME=VALUE"
            raise ConfigError(f"{target.name} has no option {name!r}", hint=hint)
        if not value.isprintable() or any(char in value for char in "\n\"'{};"):
            raise ConfigError(f"the option {name} has a character that would break the file", hint="leave it out")
        found[name] = value
    return found


def _serial(text: str) -> int:
    try:
        return int(text.replace(":", ""), 16)
    except ValueError:
        hint = "write it in hexadecimal, as handfast show prints it"
        raise ConfigError(f"{text!r} is no serial number", hint=hint) from None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple) else ()


def _list(as_json: bool) -> int:
    from handfast import registry

    targets: list[Target] = [registry.load("targets", name).target for name in registry.names("targets")]
    targets.sort(key=lambda target: (list(Group).index(target.group), target.name))
    if as_json:
        rows = [
            {"name": one.name, "title": one.title, "group": one.group, "status": one.status, "minimum": one.minimum}
            for one in targets
        ]
        print_json(rows)
        return 0
    print_table(
        ("TARGET", "what", "group", "status"),
        [(one.name, one.title, one.group, one.status) for one in targets],
        whole=("TARGET", "status"),
    )
    say()
    say("proven: real handshakes with the real program; checked: by its own syntax check;")
    say("written: by the documentation only.")
    return 0


def _tell(target: Target, setting: Setting, files: tuple[RenderedFile, ...], verdict: Verdict | None) -> None:
    import textwrap

    say(f"written to {setting.directory}:")
    for file in files:
        say(f"  {file.path.removeprefix(setting.directory + '/'):<22} {file.comment}")
    say()
    if verdict is None:
        say(f"test: {target.executable or target.title} is not on this machine")
    elif verdict.passed:
        say(f"test: {verdict.command}: passed")
    else:
        reason = "could not look without more rights" if verdict.lacks_rights else "FAILED"
        say(f"test: {verdict.command}: {reason}")
        say(textwrap.indent(verdict.words[-1000:], "  "))
    say()
    say("next:")
    for step in target.install:
        say(f"  {step.replace('DIR', setting.directory)}")
    if target.reload:
        say("after every new CRL, run this command again, and then:")
        say(f"  {target.reload}")
    for label, text in (("open sessions", target.kick), *((one.case.value, one.what) for one in target.weaknesses)):
        if text:
            say(textwrap.fill(f"{label}: {text}", 79, subsequent_indent="  "))


def _described(
    target: Target, setting: Setting, files: tuple[RenderedFile, ...], verdict: Verdict | None
) -> dict[str, object]:
    return {
        "target": target.name,
        "status": target.status,
        "directory": setting.directory,
        "files": [{"path": file.path, "mode": f"{file.mode:o}", "comment": file.comment} for file in files],
        "test": None
        if verdict is None
        else {"command": verdict.command, "passed": verdict.passed, "words": verdict.words},
        "install": [step.replace("DIR", setting.directory) for step in target.install],
        "reload": target.reload,
        "kick": target.kick,
        "weaknesses": [{"case": one.case, "what": one.what, "remedy": one.remedy} for one in target.weaknesses],
    }
