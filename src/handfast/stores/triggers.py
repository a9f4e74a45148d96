"""What no statement may do to the tables, whoever sends it: refused by triggers in the database itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# RFC 5280 section 3.3: a revocation stays beyond the certificate's end, until a CRL after that had it once more.
MARGIN_SECONDS = 7 * 86400


@dataclass(frozen=True, slots=True)
class Guard:
    """Refuse a verb on a table. when: only then; `OLD` and `NEW` are the row, `{now}` the seconds since 1970."""

    table: str
    verb: str
    message: str
    when: str = ""

    @property
    def name(self) -> str:
        """The trigger's name."""
        return f"{self.table}_no_{self.verb.lower()}"


def _only_appended_to(*tables: str) -> tuple[Guard, ...]:
    return tuple(Guard(one, verb, f"{one} is only ever appended to") for one in tables for verb in ("UPDATE", "DELETE"))


_ARCHIVED = "NOT EXISTS (SELECT 1 FROM archive a WHERE a.id = OLD.id AND a.serial = OLD.serial)"
_KEPT = "NOT EXISTS (SELECT 1 FROM archive a WHERE a.id = OLD.certificate AND a.der = OLD.der)"
_MOVED = (
    "NOT EXISTS (SELECT 1 FROM archived_revocation a WHERE a.id = OLD.id AND a.serial = OLD.serial "
    "AND a.issuer = OLD.issuer AND a.sequence = OLD.sequence AND a.reason = OLD.reason)"
)
_TAKEN = "EXISTS (SELECT 1 FROM archive a WHERE a.serial = NEW.serial AND a.issuer = NEW.issuer)"
# SQLite's REPLACE deletes without asking the triggers for DELETE.
_FINAL = (
    "EXISTS (SELECT 1 FROM revocation r WHERE r.id = NEW.id OR (r.serial = NEW.serial AND r.issuer = NEW.issuer "
    "AND (r.sequence >= NEW.sequence OR r.reason NOT IN ('certificateHold', 'removeFromCRL')))) "
    "OR EXISTS (SELECT 1 FROM archived_revocation a WHERE a.serial = NEW.serial AND a.issuer = NEW.issuer "
    "AND a.reason NOT IN ('certificateHold', 'removeFromCRL'))"
)

GUARDS: Mapping[int, tuple[Guard, ...]] = {
    1: _only_appended_to("certificate", "issued", "revocation", "crl", "audit"),
    5: (
        *_only_appended_to("archive", "archived_revocation", "audit_head"),
        Guard("certificate", "DELETE", "a certificate stays until it ended and is in the archive",
              f"OLD.not_after >= {{now}} OR {_ARCHIVED}"),
        Guard("issued", "DELETE", "a certificate stays until it is in the archive", _KEPT),
        Guard("revocation", "DELETE", "a revocation stays until its certificate ended and a margin is over",
              f"OLD.not_after >= {{now}} - {MARGIN_SECONDS} OR {_MOVED}"),
        Guard("revocation", "INSERT", "a revocation is for ever, and never replaced", _FINAL),
        Guard("certificate", "INSERT", "the serial is in the archive", _TAKEN),
    ),
}  # fmt: skip
# Taken out before those of the same migration come, which allow a little more.
REPLACED: Mapping[int, tuple[tuple[str, str], ...]] = {
    5: tuple((table, f"{table}_no_delete") for table in ("certificate", "issued", "revocation"))
}


def for_sqlite(number: int) -> Iterator[str]:
    """The statements of a migration."""
    for _, name in REPLACED.get(number, ()):
        yield f"DROP TRIGGER {name}"
    for guard in GUARDS.get(number, ()):
        when = f" WHEN {guard.when}".format(now="unixepoch()") if guard.when else ""
        yield (
            f"CREATE TRIGGER {guard.name} BEFORE {guard.verb} ON {guard.table}{when} "
            f"BEGIN SELECT RAISE(ABORT, '{guard.message}'); END"
        )


def for_postgresql(number: int) -> Iterator[str]:
    """The statements of a migration. Refusals are integrity errors (class 23), as in SQLite."""
    for table, name in REPLACED.get(number, ()):
        yield f"DROP TRIGGER {name} ON {table}"
    for guard in GUARDS.get(number, ()):
        when = (guard.when or "TRUE").format(now="EXTRACT(EPOCH FROM now())::BIGINT")
        row = "OLD" if guard.verb == "DELETE" else "NEW"
        yield (
            f"CREATE OR REPLACE FUNCTION {guard.name}() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN IF {when} THEN "
            f"RAISE EXCEPTION '{guard.message}' USING ERRCODE = 'unique_violation'; END IF; RETURN {row}; END $$"
        )
        yield (
            f"CREATE TRIGGER {guard.name} BEFORE {guard.verb} ON {guard.table} "
            f"FOR EACH ROW EXECUTE FUNCTION {guard.name}()"
        )
    for table in dict.fromkeys(guard.table for guard in GUARDS.get(number, ()) if not guard.when):
        yield (
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_no_delete()"
        )
