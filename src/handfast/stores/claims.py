"""Claims in SQL: each statement is counted, and what it counts decides who of several was first."""

from collections.abc import Callable, Mapping, Sequence

from handfast.ca.claims import ApprovalUse, Claim, QuotaUse, TokenUse
from handfast.ca.limits import exceeded
from handfast.errors import Conflict, Unauthenticated
from handfast.stores.database import Transaction
from handfast.stores.rows import seconds, serial_bytes


def settle(transaction: Transaction, claims: Sequence[Claim]) -> None:
    """Use up all of it, or raise: then the transaction is undone."""
    # In one order everywhere: two transactions that want the same rows wait for each other, and never in a circle.
    for claim in sorted(claims, key=_order):
        _SETTLE[type(claim)](transaction, claim)


def _order(claim: Claim) -> tuple[str, str]:
    return (type(claim).__name__, claim.scope if isinstance(claim, QuotaUse) else "")


def _token(transaction: Transaction, use: TokenUse) -> None:
    sql = "DELETE FROM token WHERE digest = ? AND expires_at > ? RETURNING digest"
    if len(transaction.rows(sql, [use.digest, seconds(use.at)])) != 1:
        raise Unauthenticated("the token was used just now, or has expired", hint="ask for another token")


def _approval(transaction: Transaction, use: ApprovalUse) -> None:
    sql = (
        "UPDATE pending SET serial = ?, issuer = ?, expires_at = ? "
        "WHERE transaction_id = ? AND serial IS NULL AND rejected_by = '' RETURNING transaction_id"
    )
    values = [serial_bytes(use.serial), use.issuer, seconds(use.until), use.transaction]
    if len(transaction.rows(sql, values)) != 1:
        msg = f"the request {use.transaction} was answered just now"
        raise Conflict(msg, hint="ask again: the answer is the certificate")


def take(transaction: Transaction, use: QuotaUse) -> None:
    """Count one. Raises RateLimited beyond the limit."""
    sql = (
        "INSERT INTO quota VALUES (?, ?, ?, 1) "
        "ON CONFLICT (scope, start_at) DO UPDATE SET taken = quota.taken + 1 RETURNING taken"
    )
    start = seconds(use.start)
    taken = transaction.rows(sql, [use.scope, start, seconds(use.end)])[0][0]
    if taken > use.limit:
        raise exceeded(use)
    if taken == 1:
        transaction.rows("DELETE FROM quota WHERE end_at <= ?", [start])


_SETTLE: Mapping[type, Callable[..., None]] = {TokenUse: _token, ApprovalUse: _approval, QuotaUse: take}
