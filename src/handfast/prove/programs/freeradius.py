"""FreeRADIUS under proof: the rendered module and virtual server, and clients that log in as Wi-Fi clients do."""

from dataclasses import dataclass

from handfast.errors import Unavailable
from handfast.prove.eapol import SHARED, Radius
from handfast.prove.process import Process, start, tail, wait_until
from handfast.prove.program import Observation, Program, Running, Stage, Visit

# What Debian's radiusd.conf does around the rendered files, reduced to what EAP needs.
_MAIN = """\
prefix = /usr
libdir = /usr/lib/freeradius
logdir = {directory}
run_dir = {directory}
pidfile = {directory}/radiusd.pid
max_requests = 1024
log {{
    destination = stdout
    auth = yes
}}
security {{
    reject_delay = 0
    status_server = no
}}
thread pool {{
    start_servers = 1
    max_servers = 2
    min_spare_servers = 1
    max_spare_servers = 1
}}
client loopback {{
    ipaddr = 127.0.0.1
    secret = {secret}
}}
modules {{
    $INCLUDE {directory}/eap
}}
$INCLUDE {directory}/site
"""


def begin(stage: Stage) -> Running:
    """Start the server with the rendered files."""
    main = stage.directory / "radiusd.conf"
    main.write_text(_MAIN.format(directory=stage.directory, secret=SHARED), encoding="ascii")
    server = Server(stage, launch(stage))
    return Running(
        visit=server.visit, reload=server.restart, stop=server.stop, alive=server.alive, log=server.process.output
    )


program = Program("freeradius", ("freeradius", "eapol_test"), "freeradius", begin)


def launch(stage: Stage) -> Process:
    """Start it, and wait until it answers. Raises Unavailable with the end of its log when it does not."""
    output = stage.directory / "radius.log"
    offset = output.stat().st_size if output.exists() else 0
    command = ("freeradius", "-f", "-d", str(stage.directory), "-n", "radiusd", "-l", "stdout")
    process = start(command, output=output, directory=stage.directory)

    def ready() -> bool:
        if not process.alive():
            raise Unavailable(f"freeradius ended at once: {tail(output)}", hint="its configuration is wrong")
        return b"Ready to process requests" in output.read_bytes()[offset:]

    try:
        wait_until(ready, "freeradius is ready")
    except Unavailable:
        process.stop()
        raise
    return process


@dataclass(slots=True)
class Server:
    """The process of the moment: new CRLs need a restart."""

    stage: Stage
    process: Process

    def visit(self, visit: Visit) -> Observation:
        """Log in as a Wi-Fi client."""
        pki = self.stage.pki
        return Radius(self.stage.address, pki.server_name, pki.root).visit(visit)

    def restart(self) -> None:
        """As `systemctl restart`."""
        self.process.stop()
        self.process = launch(self.stage)

    def stop(self) -> None:
        """End it."""
        self.process.stop()

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.alive()
