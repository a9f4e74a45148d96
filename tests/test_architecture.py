"""The laws of the house (docs/decisions/0001-the-house.md): floors, purity, size, and nothing left half done."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "handfast"
MODULES = sorted(SOURCE.rglob("*.py"))

FLOORS = [
    {"findings"},
    {"errors"},
    {"pki"},
    {"checks", "validate", "targets"},
    {"ca"},
    {"protocols"},
    {"keys", "stores", "tls", "registry"},
    {"client", "middleware"},
    {"server", "prove"},
    {"cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS, start=1) for room in rooms}
LAST_PURE_FLOOR = 6

# Floors 1 to 6 touch nothing outside: the clock, randomness and bytes come in as arguments (law 1).
OUTSIDE = {
    "socket", "ssl", "http", "urllib.request", "sqlite3", "sqlalchemy", "psycopg", "os", "io", "pathlib", "shutil",
    "tempfile", "threading", "multiprocessing", "concurrent", "asyncio", "subprocess", "secrets", "random", "time",
    "select", "selectors", "signal", "requests", "httpx", "httpx2", "uvicorn", "starlette", "fastapi",
}  # fmt: skip
OUTSIDE_CALLS = {
    "open",
    "input",
    "print",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "uuid.uuid4",
    "date.today",
}


def room_of(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            module = node.module or ""
            yield module, node.lineno
            if module == "handfast":
                yield from ((f"handfast.{alias.name}", node.lineno) for alias in node.names)


def in_rooms() -> list[Path]:
    return [path for path in MODULES if path.relative_to(SOURCE).parts[0] not in {"__init__.py", "__main__.py"}]


def test_every_room_has_a_floor() -> None:
    assert {room_of(path) for path in in_rooms()} <= set(FLOOR)


@pytest.mark.parametrize("path", in_rooms(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_room_imports_only_lower_floors(path: Path) -> None:
    room = room_of(path)
    for module, line in imports_of(path):
        parts = module.split(".")
        if parts[0] != "handfast" or len(parts) < 2 or parts[1] == room or parts[1] == "__version__":
            continue
        assert FLOOR[parts[1]] < FLOOR[room], f"{path}:{line}: {room} imports {parts[1]}, which is not on a lower floor"


@pytest.mark.parametrize("path", in_rooms(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_core_touches_nothing_outside(path: Path) -> None:
    if FLOOR[room_of(path)] > LAST_PURE_FLOOR:
        return
    for module, line in imports_of(path):
        outside = any(module == name or module.startswith(f"{name}.") for name in OUTSIDE)
        assert not outside, f"{path}:{line}: {module} reaches outside"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in OUTSIDE_CALLS, f"{path}:{node.lineno}: {called}() reaches outside"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_has_a_first_line_and_a_size_that_one_can_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), f"{path}: no docstring that says what it is"
    assert text.count("\n") <= 400, f"{path}: over 400 lines"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_function_fits_on_a_screen(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node, clean=False)
        lines = node.end_lineno - node.lineno + 1 - (len(docstring.splitlines()) if docstring else 0)  # type: ignore[operator]  # parsed from a file: it ends somewhere
        assert lines <= 40, f"{path}:{node.lineno}: {node.name} has {lines} lines"
        arguments = node.args
        count = len([a for a in arguments.posonlyargs + arguments.args if a.arg not in {"self", "cls"}])
        assert count + len(arguments.kwonlyargs) <= 6 or "cli" in path.parts, (
            f"{path}:{node.lineno}: {node.name} takes over 6 parameters"
        )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_is_left_half_done(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for pattern in (r"\bTODO\b", r"\bFIXME\b", r"\bXXX\b", r"raise NotImplementedError", r"pragma: no cover"):
        assert not re.search(pattern, text), f"{path}: {pattern}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_silenced_checker_says_why(path: Path) -> None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if "# type: ignore" in line:
            assert re.search(r"# type: ignore\[[a-z-, ]+\]  # \S", line), f"{path}:{number}: no code or no reason"
        if "# noqa" in line:
            assert re.search(r"# noqa: [A-Z0-9, ]+ {1,2}(#|-) ?\S", line), f"{path}:{number}: no code or no reason"


def test_no_exception_class_lives_outside_the_tree() -> None:
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.ClassDef) or path == SOURCE / "errors.py":
                continue
            for base in node.bases:
                name = ast.unparse(base).split(".")[-1]
                assert not re.search(r"(Error|Exception)$", name), (
                    f"{path}:{node.lineno}: {node.name} is an exception of its own"
                )
