"""OpenVPN under proof: a real server with a tunnel in a network of its own, and real clients beside it."""

import os
import re
import socket
import ssl
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from handfast.errors import Unavailable
from handfast.prove.namespace import joined, unshared
from handfast.prove.process import PATIENCE, Process, start, tail, wait_until
from handfast.prove.program import Observation, Outcome, Program, Running, Stage, Visit

_SOCKET = "management"
_VERSIONS = {ssl.TLSVersion.TLSv1_2: "1.2", ssl.TLSVersion.TLSv1_3: "1.3"}
_WITHOUT_TUNNEL = ("--dev", "null", "--ifconfig-noexec", "--route-noexec")
_READY = b"Initialization Sequence Completed"
_ENDED = re.compile(r"TLS Error: (?!TLS object)[^\n]*|Connection reset, restarting|Exiting due to fatal error")
_REFUSED = "TLS Error: TLS handshake failed"
_OWN_REFUSAL = re.compile(r"(VERIFY X509NAME ERROR|(?<=error=)[^:\n]*|VERIFY KU ERROR|VERIFY EKU ERROR)")
_ALERT = re.compile(r"(?:fatal SSL alert: |alert )([a-zA-Z ]+)")
_ANSWERED = re.compile(rb"^(END|SUCCESS:[^\n]*|ERROR:[^\n]*)\r?\n", re.MULTILINE)
_PAUSE = 0.05


def begin(stage: Stage) -> Running:
    """Start the server with the rendered files."""
    return serve(stage).running()


def serve(stage: Stage) -> "Server":
    """Start the server, on TCP, where a client hears of its refusal at once.

    The socket for `kill` is put where an ordinary user may.
    """
    own = ("--proto", "tcp-server", "--management", _SOCKET, "unix")
    process = start(
        unshared(("openvpn", "--config", stage.setting.file("server.conf"), *own)),
        output=stage.directory / "openvpn.log",
        directory=stage.directory,
    )

    def ready() -> bool:
        if not process.alive():
            raise Unavailable(
                f"openvpn ended at once: {tail(process.output)}", hint="it needs /dev/net/tun and namespaces"
            )
        return _READY in process.output.read_bytes()

    try:
        wait_until(ready, "openvpn is ready")
    except Unavailable:
        process.stop()
        raise
    return Server(stage, process)


program = Program("openvpn", ("openvpn", "unshare", "nsenter", "ip"), "openvpn", begin)


@dataclass(slots=True)
class Server:
    """The server and the clients that stay."""

    stage: Stage
    process: Process
    crl_time: int = field(default=0)

    def running(self) -> Running:
        """What the matrix works with."""
        return Running(
            visit=self.visit,
            reload=self.reload,
            stop=self.process.stop,
            alive=self.process.alive,
            log=self.process.output,
            kick=self.kick,
        )

    def visit(self, visit: Visit) -> Observation:
        """One client, from start to verdict. OpenVPN never resumes, so a session to resume is left aside."""
        offset = self.process.output.stat().st_size
        with tempfile.TemporaryDirectory(prefix="client-", dir=self.stage.directory) as name:
            client = self.connect(visit, Path(name))
            try:
                return self.verdict(client, offset)
            finally:
                client.stop()

    def connect(self, visit: Visit, directory: Path) -> Process:
        """A client that goes on until it is stopped, by the rendered client.conf."""
        write(directory / "root.pem", visit.trust or self.stage.pki.root)
        if visit.visitor.chain:
            write(directory / "client.pem", visit.visitor.chain)
            write(directory / "client.key", visit.visitor.key)
        write(directory / "password", "nobody\nnothing\n")
        write(directory / "client.conf", self.config(visit))
        command: tuple[str, ...] = ("openvpn", "--config", "client.conf", *_WITHOUT_TUNNEL)
        if visit.version:
            number = _VERSIONS[visit.version]
            command += ("--tls-version-min", number, "--tls-version-max", number)
        output = directory / "client.log"
        return start(joined(self.process.popen.pid, command), output=output, directory=directory)

    def config(self, visit: Visit) -> str:
        """The rendered client.conf, for this server and this visitor."""
        host, port = self.stage.address
        text = Path(self.stage.setting.file("client.conf")).read_text(encoding="utf-8")
        text = re.sub(r"^remote .*", f"remote {host} {port} tcp", text, flags=re.MULTILINE)
        if visit.server_name:
            text = re.sub(r"^(verify-x509-name) \S+", rf"\1 {visit.server_name}", text, flags=re.MULTILINE)
        if not visit.visitor.chain:
            # OpenVPN does not start without any way to prove itself, so this one has a password instead.
            text = re.sub(r"^(cert|key) .*\n", "", text, flags=re.MULTILINE) + "auth-user-pass password\n"
        return text

    def verdict(self, client: Process, offset: int) -> Observation:
        """Wait until the client is in, or out. offset: the length of the server's log before it came."""
        began = time.monotonic()
        while time.monotonic() - began < PATIENCE:
            said = client.output.read_text(encoding="utf-8", errors="replace")
            log = self.process.output.read_bytes()[offset:].decode("utf-8", "replace")
            seconds = time.monotonic() - began
            if _READY.decode() in said:
                return Observation(
                    Outcome.ADMITTED, "tunnel up", tls=version(said), identity=peer(log), log=log, seconds=seconds
                )
            own = _OWN_REFUSAL.search(said)
            if own:
                return Observation(Outcome.REFUSED, f"client: {own[1].lower()}", log=log, seconds=seconds)
            # The client comes again by itself: its connection may end for other reasons than a refusal.
            if _REFUSED in log and _ENDED.search(said):
                return Observation(Outcome.REFUSED, words(said), log=log, seconds=seconds)
            time.sleep(_PAUSE)
        return Observation(Outcome.UNREACHABLE, f"no verdict: {tail(client.output)}")

    def reload(self) -> None:
        """The server looks at the file before each handshake, and reads it when its second or size has changed."""
        path = Path(self.stage.setting.crl)
        # Two CRLs of one length within a second are a thing of tests only.
        self.crl_time = max(int(time.time()), self.crl_time + 1)
        os.utime(path, (self.crl_time, self.crl_time))

    def kick(self) -> None:
        """`kill` everyone who is connected."""
        for name in self.connected():
            self.manage(f"kill {name}")

    def connected(self) -> tuple[str, ...]:
        """The common names of those who are connected."""
        return tuple(re.findall(r"^CLIENT_LIST,([^,]*),", self.manage("status 2"), flags=re.MULTILINE))

    def manage(self, command: str) -> str:
        """One command on the management socket, and its answer."""
        with socket.socket(socket.AF_UNIX) as management:
            management.settimeout(PATIENCE)
            # By the process's own directory: a path to a socket must be short.
            management.connect(f"/proc/{self.process.popen.pid}/cwd/{_SOCKET}")
            management.sendall(f"{command}\n".encode())
            answer = b""
            while not _ANSWERED.search(answer):
                piece = management.recv(4096)
                if not piece:
                    break
                answer += piece
        return answer.decode("utf-8", "replace")


def write(path: Path, content: str) -> None:
    """A file that only its owner reads, as OpenVPN wants its keys."""
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")


def version(said: str) -> str:
    """The TLS version of the control channel, from the client's words."""
    found = re.search(r"Control Channel: (TLSv[\d.]+)", said)
    return found[1] if found else ""


def peer(log: str) -> str:
    """The client's name as the server has it."""
    found = re.search(r"\[([^\]]*)\] Peer Connection Initiated", log)
    return found[1] if found else ""


def words(said: str) -> str:
    """What the client saw: the alert if one came through, else how it ended."""
    found = _ALERT.search(said)
    ended = _ENDED.search(said)
    return f"alert {found[1].strip().lower()}" if found else (ended[0] if ended else "").lower()
