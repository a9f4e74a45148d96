"""Issue together: what several requests have decided is recorded, signed and recorded as one batch (law 4 holds)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from handfast.ca import issuing
from handfast.ca.issuing import Decision
from handfast.ca.order import Issued
from handfast.ca.ports import Store
from handfast.errors import HandfastError, RequestError
from handfast.stores.group_commit import Entry, GroupCommit

Batch = Sequence[Decision]
_MOST = 64


@dataclass(slots=True, eq=False)
class Together:
    """A carrier (handfast.ca.authority) for the store of one authority. Each caller gets its own, or its own error."""

    store: Store
    _group: GroupCommit[Batch] = field(init=False)

    def __post_init__(self) -> None:
        self._group = GroupCommit(self._carry_out, most=_MOST)

    def __call__(self, decisions: Batch, store: Store) -> list[Issued]:
        """Issue what was decided, with whatever else is waiting to be issued."""
        return cast("list[Issued]", self._group.submit(decisions))

    def _carry_out(self, entries: list[Entry[Batch]]) -> None:
        try:
            self._all(entries)
        except RequestError as error:
            # The store refused one of them, and so began none: each again by itself.
            if len(entries) == 1:
                entries[0].error = error
            else:
                for entry in entries:
                    self._carry_out([entry])
        except HandfastError as error:
            for entry in entries:
                entry.error = error
        finally:
            for entry in entries:
                entry.is_done = True

    def _all(self, entries: list[Entry[Batch]]) -> None:
        issued = issuing.carry_out([decision for entry in entries for decision in entry.job], self.store)
        position = 0
        for entry in entries:
            entry.result = issued[position : position + len(entry.job)]
            position += len(entry.job)
