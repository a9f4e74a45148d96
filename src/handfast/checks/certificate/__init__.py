"""Checks on a draft before it is signed, and on certificates that exist: every module here with a `check` is one.

A check is `check(draft: Draft) -> Iterable[Finding]`, and `CODES`, a mapping of each code that it can find to what
the code means. A check that needs the profile or the issuer finds nothing when the draft has none.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache
from types import ModuleType

from handfast.errors import Unacceptable
from handfast.findings import Finding, Severity
from handfast.pki.draft import Draft

Check = Callable[[Draft], Iterable[Finding]]


@cache
def modules() -> tuple[ModuleType, ...]:
    """The modules of all checks, in the order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return tuple(importlib.import_module(f"{__name__}.{name}") for name in names)


@cache
def _checks() -> tuple[Check, ...]:
    return tuple(module.check for module in modules())


def run_checks(draft: Draft) -> tuple[Finding, ...]:
    """Everything that any check finds in this draft; empty for a draft that may be signed without a word."""
    return tuple(finding for check in _checks() for finding in check(draft))


def require_sound(draft: Draft) -> tuple[Finding, ...]:
    """The notices and warnings. Raises Unacceptable with every finding when one of them is an error."""
    findings = run_checks(draft)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        message = "this certificate may not be issued: " + "; ".join(finding.message for finding in errors)
        raise Unacceptable(message, hint=errors[0].fix, findings=findings)
    return findings
