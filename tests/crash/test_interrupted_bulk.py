"""Ctrl-C and kill -9 in the middle of a bulk issue: no private key is left outside its file, and the run goes on."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from handfast.client import batch
from handfast.errors import Unavailable

HANDFAST = Path(sys.executable).parent / "handfast"
ROWS = 800
LEFT = ".key.pem.01234567.new"


def run(*arguments: str | Path) -> None:
    done = subprocess.run([HANDFAST, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


@contextmanager
def started(ca: Path, jobs: int) -> Iterator[subprocess.Popen[str]]:
    """A bulk issue, in a process group of its own, that wrote keys and cannot put anything on record meanwhile."""
    rows, out = ca.parent / "rows.csv", ca.parent / "out"
    rows.write_text("name\n" + "".join(f"cam-{number}\n" for number in range(ROWS)))
    words = [str(one) for one in (HANDFAST, "bulk", rows, "--ca", ca, "--out", out, "--jobs", jobs)]
    with closing(sqlite3.connect(ca / "ca.sqlite", isolation_level=None)) as store:
        store.execute("BEGIN IMMEDIATE")
        with (
            (ca.parent / "told").open("w") as told,
            subprocess.Popen(words, stdout=told, stderr=told, text=True, start_new_session=True) as child,
        ):
            deadline = time.monotonic() + 60
            while not any(out.glob("cam-*")) and child.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            assert child.poll() is None
            yield child
            store.execute("ROLLBACK")
            child.wait(timeout=120)


def left_over(out: Path) -> list[Path]:
    return list(out.rglob(".*.new"))


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_no_temporary_key_and_says_how_to_go_on(tmp_path: Path, jobs: int, number: int) -> None:
    ca, out = tmp_path / "ca", tmp_path / "out"
    run("init", ca, "--no-passphrase")
    with started(ca, jobs) as child:
        # At a terminal Ctrl-C goes to the whole group; a service manager's SIGTERM may go to the first process only.
        (os.killpg if number == signal.SIGINT else os.kill)(child.pid, number)
    told = (tmp_path / "told").read_text()

    assert left_over(out) == []
    assert len(list(out.rglob("key.pem"))) == len(list(out.rglob("fullchain.pem")))
    assert "Traceback" not in told
    # Several processes hear of it one after the other; on a busy machine they may be done by then.
    if jobs == 1 or child.returncode != 0:
        assert child.returncode == 130
        assert "the same command goes on where it stopped" in told
        assert len(list(out.rglob("key.pem"))) < ROWS


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_run_after_a_kill_sweeps_what_was_left(tmp_path: Path, jobs: int) -> None:
    ca, out = tmp_path / "ca", tmp_path / "out"
    run("init", ca, "--no-passphrase")
    with started(ca, jobs) as child:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(timeout=120)
    # Where exactly the kill hits is chance: these are what it leaves before, within and after the key was finished.
    for name in ("cam-0", "cam-1", f"cam-{ROWS - 1}"):
        (out / name).mkdir(exist_ok=True)
        (out / name / LEFT).write_text("half a key")
    mine = out / "cam-0" / "notes.new"
    mine.write_text("not ours")

    run("bulk", tmp_path / "rows.csv", "--ca", ca, "--out", out, "--jobs", str(jobs))

    assert left_over(out) == []
    assert mine.read_text() == "not ours"
    assert len(list(out.rglob("fullchain.pem"))) == ROWS


def test_a_second_run_in_the_same_directory_waits_and_then_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch.batch_of(tmp_path)
    monkeypatch.setattr(batch, "_PATIENCE", 0.0)
    with (
        batch.alone_in(tmp_path),
        pytest.raises(Unavailable, match="another bulk issue is at work"),
        batch.alone_in(tmp_path),
    ):
        pass
    with batch.alone_in(tmp_path):
        pass
