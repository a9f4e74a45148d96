"""strongSwan under proof: a gateway and its clients in a network of their own; an established IKE_SA is the verdict."""

import re
import shutil
import ssl
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from handfast.errors import Unavailable
from handfast.prove.namespace import joined, unshared
from handfast.prove.process import PATIENCE, Process, run, start, tail, wait_until
from handfast.prove.program import Observation, Outcome, Program, Running, Stage, Visit

# Ports of their own let gateway and client share one address.
_CLIENT_PORTS = (5700, 5701)
_PLUGINS = "random nonce openssl pem pkcs1 pkcs8 x509 pubkey revocation constraints kernel-netlink socket-default"
_DAEMON = """\
charon-systemd {{
  port = {port}
  port_nat_t = {nat}
  load = {plugins} vici kdf hmac
  install_routes = no
  filelog {{
    log {{
      path = {at}/log
      default = 1
      flush_line = yes
    }}
  }}
  plugins {{
    vici {{
      socket = unix://{at}/vici
    }}
  }}
}}
swanctl {{
  load = random nonce openssl pem pkcs1 pkcs8 x509 pubkey
}}
"""
_CLIENT = """\
connections {{
  proof {{
    version = 2
    remote_addrs = {host}
    local_addrs = 127.0.0.1
    remote_port = {port}
    local_port = {own}
    proposals = aes128gcm16-prfsha256-ecp256
    local {{
      {method}
    }}
    remote {{
      auth = pubkey
      id = {name}
      cacerts = {at}/x509ca/trust.pem
    }}
  }}
}}
secrets {{
  ike-proof {{
    secret = nothing
  }}
}}
"""
_END = "-----END CERTIFICATE-----\n"
_OWN = re.compile(
    r"(subject certificate invalid|constraint check failed|no trusted [A-Z]+ public key|certificate was revoked)"
)
_PEER = re.compile(r"authentication of '([^']*)' with [A-Z0-9_]+ successful")


def begin(stage: Stage) -> Running:
    """Start the gateway with the rendered files."""
    return serve(stage).running()


def serve(stage: Stage) -> "Gateway":
    """Start the gateway with the rendered files, linked to where the target's install says."""
    home = Path(tempfile.mkdtemp(prefix="hf-"))
    for name in ("x509ca", "private", "conf.d"):
        (home / name).mkdir()
    (home / "swanctl.conf").symlink_to(stage.setting.file("connection.conf"))
    (home / "private" / "server.key").symlink_to(stage.setting.key)
    (home / "x509ca" / "root.pem").symlink_to(stage.setting.client_ca)
    (home / "x509ca" / "issuing.pem").write_text(stage.pki.issuing, encoding="ascii")
    (home / "x509crl").symlink_to(stage.setting.crl)
    gateway = Daemon.start(home, (stage.setting.port, stage.setting.port + 1), None)
    gateway.swanctl("--load-all", "--noprompt")
    return Gateway(stage, gateway)


program = Program(
    "strongswan",
    ("charon-systemd", "swanctl", "unshare", "nsenter", "ip"),
    "charon-systemd",
    begin,
    # strongSwan as a client does not look at the server's extended key usage either.
    blind=("client-only",),
)


@dataclass(frozen=True, slots=True)
class Daemon:
    """A charon with its directory, which is swanctl's too. through: the namespaces that it is in, of the gateway's."""

    home: Path
    process: Process
    gateway: int

    @classmethod
    def start(cls, home: Path, ports: tuple[int, int], gateway: int | None) -> "Daemon":
        """Start it, and wait for its socket. gateway: the process whose network it joins; None makes a new one."""
        settings = _DAEMON.format(port=ports[0], nat=ports[1], plugins=_PLUGINS, at=home)
        (home / "strongswan.conf").write_text(settings, encoding="ascii")
        command = ("charon-systemd",)
        output = home / "output"
        process = start(
            unshared(command) if gateway is None else joined(gateway, command),
            output=output,
            directory=home,
            environment=_environment(home),
        )

        def ready() -> bool:
            if not process.alive():
                raise Unavailable(f"charon-systemd ended at once: {tail(output)}", hint="it needs namespaces")
            return (home / "vici").exists()

        try:
            wait_until(ready, "charon-systemd is ready")
        except Unavailable:
            process.stop()
            raise
        return cls(home, process, gateway or process.popen.pid)

    def swanctl(self, *command: str) -> str:
        """A command to the daemon, and what it said."""
        full = ("swanctl", *command, "--uri", f"unix://{self.home}/vici")
        done = run(joined(self.gateway, full), directory=self.home, environment=_environment(self.home))
        return done.stdout

    def stop(self) -> None:
        """End it, with its directory."""
        self.process.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def _environment(home: Path) -> dict[str, str]:
    return {"STRONGSWAN_CONF": f"{home}/strongswan.conf", "SWANCTL_DIR": str(home)}


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway at work."""

    stage: Stage
    daemon: Daemon

    def running(self) -> Running:
        """What the matrix works with."""
        return Running(
            visit=self.visit,
            reload=self.reload,
            stop=self.stop,
            alive=self.daemon.process.alive,
            log=self.daemon.home / "log",
            kick=self.kick,
            versions=(ssl.TLSVersion.MAXIMUM_SUPPORTED,),
        )

    def visit(self, visit: Visit) -> Observation:
        """One client, from start to verdict. There is no session to resume in IKEv2 as strongSwan has it."""
        began = time.monotonic()
        log = self.daemon.home / "log"
        offset = log.stat().st_size
        home = Path(tempfile.mkdtemp(prefix="hf-"))
        try:
            self.prepare(visit, home)
            client = self.client(home)
            try:
                client.swanctl("--load-all", "--noprompt")
                said = client.swanctl("--initiate", "--ike", "proof", "--timeout", str(int(PATIENCE)))
            finally:
                client.stop()
        finally:
            shutil.rmtree(home, ignore_errors=True)
        return observation(said, log.read_bytes()[offset:].decode("utf-8", "replace"), time.monotonic() - began)

    def client(self, home: Path) -> Daemon:
        """A client's daemon, in the gateway's network."""
        return Daemon.start(home, _CLIENT_PORTS, self.daemon.process.popen.pid)

    def prepare(self, visit: Visit, home: Path) -> None:
        """The client's files: its chain in single files, as swanctl wants them, and what it trusts."""
        for name in ("x509", "x509ca", "private"):
            (home / name).mkdir()
        leaf, *others = (part + _END for part in visit.visitor.chain.split(_END)[:-1]) if visit.visitor.chain else ("",)
        for number, other in enumerate(others):
            (home / "x509ca" / f"{number}.pem").write_text(other, encoding="ascii")
        (home / "x509ca" / "trust.pem").write_text(visit.trust or self.stage.pki.root, encoding="ascii")
        (home / "x509" / "client.pem").write_text(leaf, encoding="ascii")
        (home / "private" / "client.key").write_text(visit.visitor.key, encoding="ascii")
        method = f"auth = pubkey\n      certs = {home}/x509/client.pem" if leaf else "auth = psk\n      id = nobody"
        host, port = self.stage.address
        # A name with a wildcard is not told to the gateway, which would refuse a wrong one before the client could.
        name = f"*{visit.server_name}" if visit.server_name else self.stage.pki.server_name
        text = _CLIENT.format(
            host=host,
            port=port,
            own=_CLIENT_PORTS[0],
            method=method,
            name=name,
            at=home,
        )
        (home / "swanctl.conf").write_text(text, encoding="ascii")

    def reload(self) -> None:
        """As the target says; swanctl returns when the daemon has the new files."""
        self.daemon.swanctl("--load-creds", "--clear", "--noprompt")

    def kick(self) -> None:
        """End every IKE_SA."""
        self.daemon.swanctl("--terminate", "--ike", "handfast")

    def stop(self) -> None:
        """End the gateway."""
        self.daemon.stop()


def observation(said: str, log: str, seconds: float) -> Observation:
    """What swanctl's words, and the gateway's, come to."""
    own, peer = _OWN.search(said), _PEER.search(log)
    if "initiate completed successfully" in said:
        return Observation(
            Outcome.ADMITTED, "IKE_SA established", identity=peer[1] if peer else "", log=log, seconds=seconds
        )
    if own:
        return Observation(Outcome.REFUSED, f"client: {own[1]}", log=log, seconds=seconds)
    refused = re.search(r"received ([A-Z_]+) (?:notify )?error|received ([A-Z_]+) notify", said)
    if refused:
        return Observation(Outcome.REFUSED, (refused[1] or refused[2]).lower(), log=log, seconds=seconds)
    return Observation(Outcome.UNREACHABLE, f"no verdict: {said[-300:]}", log=log, seconds=seconds)
