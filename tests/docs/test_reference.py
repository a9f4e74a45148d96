"""The reference pages are what the program says now."""

import ast

import pytest

from tests.docs.reference import FOLDER, SOURCE, pages


@pytest.mark.parametrize("name", ["commands.md", "settings.md", "errors.md", "targets.md", "checks.md", "openapi.json"])
def test_a_reference_page_is_current(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert (FOLDER / name).read_text(encoding="utf-8") == pages()[name], "run scripts/write-reference"


def test_every_code_of_a_finding_is_explained() -> None:
    """Wherever a Finding is made with its code spelled out."""
    explained = "".join(page.read_text(encoding="utf-8") for page in FOLDER.parent.rglob("*.md"))
    missing = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in {"Finding", "_finding"}:
                continue
            first = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "code"), None)
            code = first.value if isinstance(first, ast.Constant) else None
            if isinstance(code, str) and f"`{code}`" not in explained:
                missing.append(f"{path.relative_to(SOURCE)}:{node.lineno}: {code}")
    assert missing == []
