"""handfast's own server on loopback, in this process; its target is here, since nobody has to configure it."""

from datetime import UTC, datetime
from pathlib import Path

from handfast.errors import HandfastError
from handfast.pki import pem
from handfast.prove.program import Program, Running, Stage
from handfast.prove.visit import Door, http
from handfast.targets.contract import (
    USUAL_HARMS,
    BrokenCrl,
    Case,
    CrlForm,
    Group,
    Harm,
    Identity,
    Refusal,
    RenderedFile,
    Setting,
    Status,
    Target,
)
from handfast.tls.context import Generation, RotatingContext, server_generation
from handfast.tls.context import Identity as OwnIdentity
from handfast.tls.revocations import load_revocations
from handfast.tls.server import Greeter


def generation_of(setting: Setting, cas: str, *, intermediates: str = "") -> Generation:
    """What the server's files say now. cas (PEM): whose CRLs are believed. intermediates: see server_generation()."""
    identity = OwnIdentity(_text(setting.certificate), _text(setting.key))
    revocations = load_revocations(_text(setting.crl), pem.certificates(cas.encode(), "the CAs"))
    return server_generation(
        identity, client_roots=_text(setting.client_ca), intermediates=intermediates, revocations=revocations
    )


def run(stage: Stage) -> Running:
    """Start it in threads of its own."""
    cas = stage.pki.root + stage.pki.issuing
    log = stage.directory / "server.log"
    context = RotatingContext(generation_of(stage.setting, cas))

    def say(line: str) -> None:
        with log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def reload() -> None:
        try:
            context.generation = generation_of(stage.setting, cas)
        except HandfastError as error:
            say(f"not reloaded, the generation of before goes on: {error.message}")

    server = Greeter(context, lambda: datetime.now(UTC), say)
    server.start(*stage.address)
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, http(stage.pki.server_name))
    return Running(visit=door.visit, reload=reload, stop=server.stop, alive=server.alive, log=log)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def render(_: Setting) -> tuple[RenderedFile, ...]:
    """It has no configuration but its certificates."""
    return ()


target = Target(
    name="handfast",
    title="handfast's own server",
    group=Group.APPLICATION,
    status=Status.PROVEN,
    render=render,
    directory=".",
    install=(),
    minimum="0.1.0",
    crl=CrlForm.CONCATENATED,
    broken_crl="a list that does not load, or that no CA of the clients signed, is not taken, and the one before stays "
    "in force; one that has ended refuses all",
    harms={**USUAL_HARMS, BrokenCrl.FORGED: Harm.NONE},
    identity=Identity("the certificate itself", "the greeting"),
    depth="the whole chain is built and checked, whatever its length",
    resumption="no tickets, and clock and revocation are looked up for every connection, resumed or not",
    refusals=(
        Refusal(Case.NO_CERTIFICATE, "alert certificate required", "peer did not return a certificate"),
        Refusal(Case.SELF_SIGNED, "alert unknown ca", "self-signed certificate"),
        Refusal(Case.OTHER_CA, "alert unknown ca", "unable to get local issuer certificate"),
        Refusal(Case.EXPIRED, "alert certificate expired", "certificate has expired"),
        Refusal(Case.NOT_YET_VALID, "alert bad certificate", "certificate is not yet valid"),
        Refusal(Case.SERVER_ONLY, "alert unsupported certificate", "unsuitable certificate purpose"),
        Refusal(Case.BARE, "HTTP 403", "certificate not made for clients"),
        Refusal(Case.NO_INTERMEDIATE, "alert unknown ca", "unable to get local issuer certificate"),
        Refusal(Case.REVOKED, "HTTP 403", "certificate revoked"),
    ),
)
program = Program("handfast", (), "", run)
