"""Serve the authority: enrollment, revocation and the API over HTTPS."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from handfast.cli._authority import current_session, passphrase_source
from handfast.cli._options import directory_options, examples, json_option
from handfast.cli._output import print_json, say
from handfast.errors import ConfigError

if TYPE_CHECKING:
    from handfast.server.serving import Opened

SECTION = "The authority"


@click.command(
    epilog=examples(
        "handfast serve",
        "handfast serve --listen :8443 --http :8080 --name ca.example.org",
        "handfast serve --store postgresql://handfast@db.example.org/handfast",
    )
)
@click.option("--listen", metavar="HOST:PORT", help="Where to answer HTTPS [127.0.0.1:8443].")
@click.option("--http", metavar="HOST:PORT", help="Where to answer plain HTTP: CRLs, OCSP, CA certificates.")
@click.option("--metrics", metavar="HOST:PORT", help="Where Prometheus asks for /metrics, in plain HTTP.")
@click.option("--name", "names", metavar="NAME", multiple=True, help="What clients call the service; may be repeated.")
@click.option("--store", metavar="KIND:PLACE", help="The store, instead of the one in handfast.toml.")
@directory_options("run it where the directory is, without --server; --listen says where the service answers")
@json_option
def command(
    listen: str | None,
    http: str | None,
    metrics: str | None,
    names: tuple[str, ...],
    store: str | None,
    as_json: bool,
) -> None:
    """Answer clients until stopped by Ctrl-C or SIGTERM.

    HTTPS asks clients for a certificate and demands it where a request needs one. The service's own certificate comes
    from its own authority and is renewed by itself; SIGHUP renews it at once. The log goes to stderr: lines for people
    on a terminal, JSON elsewhere.
    """
    require_extra()
    from handfast.server.assembly import open_parts
    from handfast.server.log import to_stderr
    from handfast.server.migrating import Announcement
    from handfast.server.service import service_of
    from handfast.server.serving import serve
    from handfast.server.tenants import open_tenants

    session = current_session()
    has_begun = False

    def begun(opened: "Opened") -> None:
        nonlocal has_begun
        has_begun = True
        _print_opened(opened, as_json)

    # Who started it is asked before it listens, and not by some job at night.
    passphrase = passphrase_source(session, is_over=lambda: has_begun)
    log = to_stderr()
    watch = Announcement(log)
    parts = open_parts(Path(session.directory), passphrase=passphrase, store=store, watch=watch)
    click.get_current_context().call_on_close(parts.store.close)
    tenants = open_tenants(parts, passphrase=passphrase, watch=watch)
    for one in tenants.values():
        click.get_current_context().call_on_close(one.store.close)
    service = service_of(parts, tenants=tenants, log=log)
    plan = parts.settings.serve.plan(listen=listen, http=http, names=names, metrics=metrics)
    serve(service, plan, passphrase, begun)


def require_extra() -> None:
    """Raise ConfigError, with the command to run, when what the service needs is not installed."""
    try:
        import httptools
        import uvicorn
    except ImportError as error:
        msg = f"`handfast serve` needs the package {error.name}, which is not installed"
        raise ConfigError(msg, hint="run: pip install 'handfast[server]'") from None
    del httptools, uvicorn


def _print_opened(opened: "Opened", as_json: bool) -> None:
    """Where it listens and what is served: the first thing on stdout, and flushed, since programs wait for it."""
    until = opened.certificate.not_valid_after_utc
    if as_json:
        places = {
            "https": str(opened.https),
            "http": str(opened.http) if opened.http else None,
            "metrics": str(opened.metrics) if opened.metrics else None,
        }
        routes = [{"path": one.path, "is_plain": one.is_plain} for one in opened.served]
        print_json({**places, "certificate_until": until, "routes": routes})
    else:
        say(f"HTTPS at https://{opened.https}, with a certificate until {until:%Y-%m-%d %H:%M} UTC")
        say(f"HTTP  at http://{opened.http}" if opened.http else "no plain HTTP")
        if opened.metrics:
            say(f"metrics at http://{opened.metrics}/metrics")
        for one in opened.served:
            say(f"  {one.path}{'  (plain too)' if one.is_plain and opened.http else ''}")
        say("Ctrl-C stops it")
    sys.stdout.flush()
