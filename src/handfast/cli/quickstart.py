"""See it all work in a minute: a CA, real servers, and who is let in."""

import json
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from shlex import quote

import click

from handfast.cli._options import examples, json_option, no_authority
from handfast.cli._output import note, say
from handfast.cli._progress import progress_line
from handfast.cli._quickstart import Quickstart
from handfast.cli.prove import show
from handfast.errors import ConfigError
from handfast.prove.find import installed, program_of
from handfast.prove.matrix import Proof, Row
from handfast.prove.process import free_port

SECTION = "Start here"
SERVERS = ("handfast", "nginx", "apache")
_PORT = "port.txt"


@click.command(
    epilog=examples(
        "handfast quickstart",
        "handfast quickstart --keep ./mtls",
        "handfast quickstart --serve ./mtls",
    )
)
@click.option("--keep", metavar="DIR", help="Leave everything in DIR, for use.")
@click.option("--serve", metavar="DIR", help="Run a server on what --keep left in DIR, until Ctrl-C.")
@no_authority("leave it out: the trial makes an authority of its own")
@json_option
def command(keep: str | None, serve: str | None, as_json: bool) -> int:
    """See it all work: the five steps of mutual TLS, on real servers.

    Makes a CA, issues certificates, configures handfast's own server and nginx and Apache where they are installed,
    and sends everybody who may come and everybody who may not. Nothing is left behind, unless --keep says so.
    """
    if serve is not None:
        return _serve(Path(serve).absolute())
    with ExitStack() as stack:
        if keep is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hf-")))
        else:
            directory = _fresh(Path(keep).absolute())
        # The servers' own users must be able to pass.
        directory.chmod(0o755)
        results = _run(directory, quiet=as_json)
        status = show(results, as_json)
    if not as_json:
        _end(None if keep is None else directory)
    return status


def _fresh(directory: Path) -> Path:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(f"{directory} exists already and is not empty", hint="choose another directory for --keep")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _run(directory: Path, *, quiet: bool) -> list[tuple[str, tuple[Row, ...]]]:
    tell = (lambda _: None) if quiet else note
    began = time.monotonic()
    names = [name for name in SERVERS if name in installed()]
    tell("1. make a CA: a root, and below it a CA that issues\n     handfast init")
    quickstart = Quickstart.found(directory)
    try:
        tell("2. issue certificates: for a server, a person, a device\n     handfast issue localhost 127.0.0.1")
        tell("     handfast issue --profile client alice\n     handfast issue --profile device device-1")
        quickstart.issue_all()
        tell("3. configure servers that let in nobody without a certificate")
        for name in names:
            own = "itself: nothing to configure" if name == "handfast" else f"config {name} localhost"
            tell(f"     handfast {own}")
        for name in sorted(set(SERVERS) - set(names)):
            tell(f"     ({name} is not installed: left out)")
        tell("4. set up a client: it needs its certificate, its key and the root")
        tell("     curl --cert fullchain.pem --key key.pem --cacert ca.pem https://localhost/")
        tell("5. test it: everybody comes, under TLS 1.2 and 1.3; takes about 20 seconds")
        tell(f"     handfast prove {' '.join(names)}")
        results = _prove(quickstart, names)
    finally:
        quickstart.authority.store.close()
    tell(f"   done in {time.monotonic() - began:.0f} s\n")
    return results


def _prove(quickstart: Quickstart, names: list[str]) -> list[tuple[str, tuple[Row, ...]]]:
    """All servers at once: most of the time is waiting for a certificate to expire."""
    pki = quickstart.pki()
    (quickstart.directory / "servers").mkdir()
    with progress_line() as report, ThreadPoolExecutor(max_workers=len(names)) as pool:
        proofs = []
        for name in names:
            target, program = program_of(name)
            where = quickstart.directory / "servers" / name
            proof = Proof(target, program, pki, where, quickstart.revoke, partial(report, name))
            proofs.append((target.title, pool.submit(proof.rows)))
        return [(title, future.result()) for title, future in proofs]


def _end(directory: Path | None) -> None:
    say()
    if directory is None:
        say("Nothing is left behind. To keep it all and try it by hand:")
        say(f"  {_called()} quickstart --keep ./mtls")
        return
    port = free_port()
    (directory / _PORT).write_text(f"{port}\n", encoding="ascii")
    alice, root = directory / "issued" / "alice", directory / "issued" / "alice" / "ca.pem"
    url = f"https://localhost:{port}/"
    say(f"Everything is in {directory}:")
    say("  handfast-ca/  the CA (its keys are not encrypted: for trying out only)")
    say("  issued/       certificates and keys")
    say("  servers/      what each server was configured with, and its log")
    say()
    say("A server to talk to, until Ctrl-C:")
    say(f"{_called()} quickstart --serve {quote(str(directory))}")
    say()
    say("Then, in another terminal, curl:")
    chain, key = str(alice / "fullchain.pem"), str(alice / "key.pem")
    say(f"curl --cert {quote(chain)} --key {quote(key)} --cacert {quote(str(root))} {url}")
    say()
    say("Python (pip install requests):")
    # JSON's texts are Python's too, and leave the shell's single quotes free.
    words = [json.dumps(word, ensure_ascii=False) for word in (url, chain, key, str(root))]
    program = "import requests; print(requests.get({},\n  cert=({}, {}), verify={}).text)".format(*words)
    say(f"python3 -c {quote(program)}")
    say()
    say(f"A browser: trust {root} as an authority for web sites, import")
    say(f"{alice}/alice.p12 with the password in {alice}/password.txt, open {url}")


def _called() -> str:
    """How a shell finds this program: by its name, or as it was called when it is not on PATH, as in a clone."""
    return "handfast" if shutil.which("handfast") else quote(sys.argv[0])


def _serve(directory: Path) -> int:
    from datetime import UTC, datetime

    from handfast.prove.deploy import Place, setting_for
    from handfast.prove.programs.handfast import generation_of, target
    from handfast.tls.context import RotatingContext
    from handfast.tls.server import Greeter

    try:
        port = int((directory / _PORT).read_text(encoding="ascii"))
        certificates = directory / "handfast-ca" / "certificates"
        root, issuing = ((certificates / f"{name}.pem").read_text(encoding="ascii") for name in ("root", "issuing"))
    except (OSError, ValueError):
        hint = f"make one: handfast quickstart --keep {directory}"
        raise ConfigError(f"{directory} is not what quickstart --keep leaves", hint=hint) from None
    setting = setting_for(target, Place(directory=directory / "servers" / "handfast", names=("localhost",), port=port))
    # Browsers send their certificate alone to a server in Python.
    context = RotatingContext(generation_of(setting, root + issuing, intermediates=issuing))
    server = Greeter(context, lambda: datetime.now(UTC), note)
    server.start("127.0.0.1", port)
    note(f"listening on https://localhost:{port}/ until Ctrl-C")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        server.stop()
    return 0
