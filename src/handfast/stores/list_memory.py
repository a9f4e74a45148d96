"""The lists that were asked for last: all who fetch a large one at a time share its octets, and it is read once."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from handfast.ca.published import Published, Which

# Two lists of a million entries, or all shards of most authorities.
LARGEST = 128 << 20


@dataclass(slots=True, eq=False)
class ListMemory:
    """Of one process. largest: how many octets of lists are kept; what was not asked for longest goes first."""

    largest: int = LARGEST
    _kept: OrderedDict[Which, Published] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def whole(self, newest: Published, read: Callable[[], Published | None]) -> Published | None:
        """The list with its DER. newest: as it is published now, without. read: reads it from the store, if need be."""
        with self._lock:
            kept = self._kept.pop(newest.which, None)
            if kept is not None and kept.record.number == newest.record.number:
                found: Published | None = replace(newest, der=kept.der)
            else:
                found = read()
            if found is not None:
                self._keep(found)
            return found

    def _keep(self, published: Published) -> None:
        self._kept[published.which] = published
        while sum(len(one.der) for one in self._kept.values()) > self.largest:
            self._kept.popitem(last=False)
