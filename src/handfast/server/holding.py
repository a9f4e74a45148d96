"""Hold: one run of a job that one replica at a time does, which is asked at each step whether it may go on."""

from collections.abc import Callable
from dataclasses import dataclass

from handfast.errors import Conflict

# Called before each step that others would see. Raises when it must not be done here.
Step = Callable[[], None]


def freely() -> None:
    """A step that is anybody's."""


@dataclass(slots=True)
class Hold:
    """claim: True as long as the job is ours, and renews the lease. is_lost: it was another's once, and stays so: the
    other one begins from the start.
    """

    claim: Callable[[], bool]
    is_lost: bool = False

    def renew(self) -> bool:
        """Keep it; False when another one has it. Raises Unavailable when the store does not answer."""
        self.is_lost = self.is_lost or not self.claim()
        return not self.is_lost

    def step(self) -> None:
        """Raise Conflict when another one has the job, Unavailable when nobody can tell."""
        if not self.renew():
            raise Conflict("another replica has taken the job over", hint="it does what is left")
