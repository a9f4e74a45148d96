"""Every command in the README and in docs/ is run, and what the pages say it prints is what it prints."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def runs_of(page: Path) -> list[tuple[str, str]]:
    """(command, expected output) in the order of the page; a `sh` block is one command without an expectation."""
    runs: list[tuple[str, str]] = []
    for kind, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "sh":
            runs.append((body, ""))
            continue
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            while command.endswith("\\"):
                more, _, expected = expected.partition("\n")
                command = f"{command}\n{more}"
            runs.append((command, expected.strip("\n")))
    return runs


def matches(expected: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(piece) for piece in expected.split("…"))
    return re.search(pattern, printed, re.DOTALL) is not None


WITH_RUNS = [page for page in PAGES if runs_of(page)]


@pytest.mark.parametrize("page", WITH_RUNS, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "COLUMNS": "80", "HOME": str(tmp_path), "NO_COLOR": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment.pop("HANDFAST_CA", None)
    for command, expected in runs_of(page):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=120, check=False,
        )  # fmt: skip
        printed = "\n".join(line.rstrip() for line in done.stdout.splitlines())
        assert matches(expected, printed), f"{page.name}: $ {command}\n{printed}\n--- expected\n{expected}"
        refused = "error: " in expected
        assert (done.returncode != 0) == refused, f"{page.name}: $ {command}: status {done.returncode}\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_names_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make quickstart" in readme
    assert "make test" in readme


def test_an_output_that_differs_is_noticed() -> None:
    assert matches("issued … (client)", "issued alice (client), valid")
    assert not matches("issued … (server)", "issued alice (client), valid")
