"""The pages about the validator say what it does: every rule is listed as it is, and the example runs as printed."""

import os
import re
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from handfast.validate import RULES, Level, Rule
from handfast.validate.revocation.rules import REVOCATION_RULES
from tests.unit.validation_world import NAMES, World, utc_times

PAGES = Path(__file__).parents[2] / "docs" / "validation"
EVERY = {**RULES, **REVOCATION_RULES}
INTRODUCTION = """# The rules of the validator

Every validation applies every rule. What a rule says is in the report at every level; the level decides which findings
refuse the certificate.

- `strict` is the default: what modern strict verifiers accept.
- `rfc5280`: what RFC 5280 asks of certificates and of whoever checks them.
- `legacy`: what older peers accept, and nothing that has been forged in practice.

A cross marks the levels at which the finding refuses. Where none is marked it is a notice.

| finding | strict | rfc5280 | legacy | written in | what to do |
|---|---|---|---|---|---|
"""


def row(rule: Rule) -> str:
    marks = " | ".join("x" if level in rule.fatal_at else " " for level in Level)
    return f"| `{rule.code}` | {marks} | {rule.reference} | {rule.fix} |\n"


def test_the_page_of_rules_lists_each_as_it_is() -> None:
    page, text = PAGES / "rules.md", INTRODUCTION + "".join(map(row, EVERY.values()))
    if os.environ.get("REWRITE_GOLDEN"):
        page.write_text(text, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == text, "run this test with REWRITE_GOLDEN=1 and look at the difference"


@pytest.mark.parametrize("page", ["python.md", "conformance.md", "what-the-short-snippet-misses.md"])
def test_a_finding_that_a_page_names_exists(page: str) -> None:
    named = re.findall(r"`([a-z0-9]+(?:-[a-z0-9]+)+)`", (PAGES / page).read_text(encoding="utf-8"))
    assert set(named) - EVERY.keys() <= {"document-signing"}


@pytest.mark.parametrize(
    ("names", "printed"), [(["alice@example.com"], "trusted by way of CN=leaf"), (["eve@example.com"], "name-mismatch")]
)
def test_the_example_runs_as_printed(
    names: list[str], printed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World()
    world.leaf.set(NAMES, x509.SubjectAlternativeName([x509.RFC822Name(name) for name in names]))
    for fields in (world.leaf, world.ca, world.root):
        fields.validity = utc_times("200101000000Z", "491231235959Z")
    for file, fields in {"peer.pem": world.leaf, "chain.pem": world.ca, "root.pem": world.root}.items():
        pem = x509.load_der_x509_certificate(fields.der()).public_bytes(Encoding.PEM)
        (tmp_path / file).write_bytes(pem)
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"```python\n(.*?)```", (PAGES / "python.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    exec(compile(code, "python.md", "exec"), {})
    assert capsys.readouterr().out.startswith(printed)
