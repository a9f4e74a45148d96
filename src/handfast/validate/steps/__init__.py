"""The steps of path validation: one file is one group of rules, with `check(examination)` (RFC 5280 section 6.1)."""

from handfast.validate.path import Examination
from handfast.validate.steps import (
    authority,
    common_name,
    dates,
    form,
    identifiers,
    keys,
    name_constraints,
    pins,
    policies,
    subject,
    subject_names,
    usage,
)

STEPS = (
    dates.check,
    form.check,
    identifiers.check,
    keys.check,
    authority.check,
    usage.check,
    subject_names.check,
    name_constraints.check,
    policies.check,
    subject.check,
    common_name.check,
    pins.check,
)


def check(examination: Examination) -> None:
    """Take every step: findings are collected, none ends the work."""
    for step in STEPS:
        step(examination)
