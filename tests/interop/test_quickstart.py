"""The quickstart as a newcomer runs it, and its lines pasted as they stand."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handfast.prove.process import accepts
from tests.programs import required_program

HANDFAST = Path(sys.executable).with_name("handfast")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """What --keep left, and what was printed."""
    for name in ("nginx", "apache2"):
        required_program(name)
    directory = tmp_path_factory.mktemp("quickstart") / "mtls"
    done = subprocess.run(
        [HANDFAST, "quickstart", "--keep", directory], capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory, done.stdout


def test_every_row_of_three_servers_is_as_expected(kept: tuple[Path, str]) -> None:
    assert kept[1].count("20 of 20 as expected") == 3
    assert "✗" not in kept[1]


def test_the_matrix_fits_80_columns(kept: tuple[Path, str]) -> None:
    matrix = kept[1].split("Everything is in")[0]

    assert max(map(len, matrix.splitlines())) <= 80


def test_the_pasted_lines_work_as_they_stand(kept: tuple[Path, str]) -> None:
    directory, printed = kept
    required_program("curl")
    curl = next(line for line in printed.splitlines() if line.startswith("curl "))
    python = re.search(r"^python3 -c '.*?'$", printed, re.MULTILINE | re.DOTALL)
    assert python is not None
    port = int((directory / "port.txt").read_text(encoding="ascii"))
    with subprocess.Popen([HANDFAST, "quickstart", "--serve", directory], stderr=subprocess.PIPE) as server:
        try:
            _wait_for(port, server)

            assert _pasted(curl) == "hello CN=alice"
            assert _pasted(python[0].replace("python3", sys.executable, 1)) == "hello CN=alice"
        finally:
            server.terminate()


def test_a_directory_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x", encoding="ascii")

    done = subprocess.run(
        [HANDFAST, "quickstart", "--keep", tmp_path], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 2
    assert "not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while not accepts(("localhost", port)):
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _pasted(line: str) -> str:
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
