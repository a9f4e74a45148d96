"""hostapd under proof, as an EAP server without a radio, and clients that log in as Wi-Fi clients do."""

from dataclasses import dataclass

from handfast.errors import Unavailable
from handfast.prove.eapol import SHARED, Radius
from handfast.prove.namespace import joined, unshared
from handfast.prove.process import Process, start, tail, wait_until
from handfast.prove.program import Observation, Outcome, Program, Running, Stage, Visit
from handfast.targets.contract import Case


def begin(stage: Stage) -> Running:
    """Start the server with the rendered files, in a network of its own, since it listens on every address."""
    (stage.directory / "access-points").write_text(f"127.0.0.1/32 {SHARED}\n", encoding="ascii")
    process = start(
        unshared(("hostapd", "-t", stage.setting.file("hostapd.conf"))),
        output=stage.directory / "hostapd.log",
        directory=stage.directory,
    )
    server = Server(stage, process)
    try:
        wait_until(server.ready, "hostapd is ready")
    except Unavailable:
        process.stop()
        raise
    return Running(visit=server.visit, reload=server.reload, stop=process.stop, alive=process.alive, log=process.output)


program = Program("hostapd", ("hostapd", "eapol_test", "unshare", "nsenter", "ip"), "hostapd", begin)


@dataclass(frozen=True, slots=True)
class Server:
    """The server in its network."""

    stage: Stage
    process: Process

    def ready(self) -> bool:
        """Whether it serves. Raises Unavailable with the end of its log when it ended."""
        if not self.process.alive():
            raise Unavailable(f"hostapd ended at once: {tail(self.process.output)}", hint="it needs namespaces")
        return b"AP-ENABLED" in self.process.output.read_bytes()

    def visit(self, visit: Visit) -> Observation:
        """Log in as a Wi-Fi client."""
        pki = self.stage.pki
        through = joined(self.process.popen.pid, ())
        return Radius(self.stage.address, pki.server_name, pki.root, through).visit(visit)

    def reload(self) -> None:
        """It reads its file by itself, when somebody comes. The first look tells in the log."""
        offset = self.process.output.stat().st_size
        user = Visit(self.stage.pki.visitors[Case.USER])

        def read_again() -> bool:
            seen = self.visit(user)
            looked = b"Flushing X509 store" in self.process.output.read_bytes()[offset:]
            return looked and seen.outcome is not Outcome.UNREACHABLE

        wait_until(read_again, "hostapd reads its CRLs again")
