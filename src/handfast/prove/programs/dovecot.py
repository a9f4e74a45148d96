"""Dovecot on loopback, wholly as one user who is not root, visited in IMAP (RFC 9051)."""

import grp
import pwd
import re
import signal
import ssl
from dataclasses import replace
from pathlib import Path

from handfast.errors import Unavailable
from handfast.prove.log import LogReader
from handfast.prove.other_user import as_user, give, name_of_user
from handfast.prove.process import Process, start, tail, wait_listening, wait_until
from handfast.prove.process import run as run_to_end
from handfast.prove.program import Observation, Outcome, Program, Running, Stage, Visit, find_program
from handfast.prove.visit import Answer, Door
from handfast.targets.dovecot import CONFIG

_USER = "dovecot"
_MAIN = """base_dir = {at}/run
state_dir = {at}/run
log_path = {at}/mail.log
protocols = imap
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_location = maildir:{at}/mail/%u
first_valid_uid = 1
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
}}
service stats {{
  chroot =
}}
!include {config}
userdb {{
  driver = static
  args = uid={user} gid={group} home={at}/mail/%u
}}
"""


def run(stage: Stage) -> Running:
    """Start it in the foreground and wait until it answers."""
    at = stage.directory
    main, log, user = at / "dovecot.conf", at / "mail.log", name_of_user(_USER)
    group = _group_of(user)
    main.write_text(_MAIN.format(at=at, user=user, group=group, config=stage.setting.file(CONFIG)), encoding="utf-8")
    log.touch()
    give(at, _USER)
    door = Door(stage.address, stage.pki.server_name, stage.pki.root, log_in_and_out)
    process = start(
        [*as_user(_USER), find_program("dovecot") or "dovecot", "-F", "-c", str(main)],
        output=at / "output.log",
        directory=at,
    )
    try:
        wait_listening(process, stage.address)
        # It listens long before it minds signals; who has spoken of a guest minds them.
        wait_until(lambda: "imap-login" in tail(log), f"dovecot answers ({tail(log)})")
    except BaseException:
        process.stop()
        raise
    return Running(
        visit=lambda visit: _visit(door, log, visit),
        reload=lambda: _reload(process, log),
        stop=process.stop,
        alive=process.alive,
        log=log,
        kick=lambda: _kick(main),
    )


def _kick(main: Path) -> None:
    """Every user's sessions. As the user that the whole server runs as: nobody else may speak to its anvil."""
    told = run_to_end([*as_user(_USER), find_program("doveadm") or "doveadm", "-c", str(main), "kick", "*"],
                      directory=main.parent)  # fmt: skip
    if told.returncode != 0:
        raise Unavailable(f"doveadm kick: {told.stdout.strip()}", hint="the server's log may say why")


def _group_of(user: str) -> str:
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def _visit(door: Door, log: Path, visit: Visit) -> Observation:
    """IMAP does not say who one is: the log does."""
    reader = LogReader.at_end(log)
    seen = door.visit(visit)
    if seen.outcome is not Outcome.ADMITTED:
        return seen
    login = "Login: user=<"
    return replace(seen, identity=reader.line_with(login).partition(login)[2].partition(">")[0])


def log_in_and_out(secured: ssl.SSLSocket) -> Answer:
    """By the certificate, and out again."""
    answer = log_in(secured)
    if answer.admitted:
        secured.sendall(b"b LOGOUT\r\n")
    return answer


def log_in(secured: ssl.SSLSocket) -> Answer:
    """By the certificate (SASL EXTERNAL). Raises EOFError when the server closes first."""
    with secured.makefile("rwb") as stream:
        if not stream.readline().startswith(b"* OK"):
            raise EOFError
        stream.write(b"a AUTHENTICATE EXTERNAL =\r\n")
        stream.flush()
        while line := stream.readline():
            if line.startswith(b"a "):
                words = re.sub(r" \[CAPABILITY.*?\]", "", line[2:].decode("utf-8", "replace").strip())
                return Answer(words.startswith("OK"), words)
    raise EOFError


def _reload(process: Process, log: Path) -> None:
    """SIGHUP: connections after the log has said so are served by new processes."""
    reader = LogReader.at_end(log)
    process.signal(signal.SIGHUP)
    wait_until(lambda: "SIGHUP received" in reader.text(), f"dovecot has read its files again ({tail(log)})")


program = Program("dovecot", ("dovecot",), "dovecot-imapd", run)
