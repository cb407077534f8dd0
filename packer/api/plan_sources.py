"""Where a plan's inputs come from: files, or a live cluster."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packer.api.inputs import Input, load, load_live

if TYPE_CHECKING:
    from packer.plan.plan import Plan
    from packer.plan.running import RunningFleet

LIVE = "live"
"""In place of a file: the cluster. A file of that name is ``./live``."""


@dataclass(frozen=True)
class PlanSources:
    """What is asked, where, at what price, and what runs now.

    Attributes:
        inventory: A file, or ``live``. current: A plan's file, ``live``, or empty for nothing.
        context, kubeconfig, namespace: Of the cluster, for what is ``live``.
    """

    fleet: str
    inventory: str
    prices: str = ""
    current: str = ""
    context: str = ""
    kubeconfig: str = ""
    namespace: str = "llm"

    @property
    def files(self) -> tuple[str, ...]:
        """Files that are read."""
        named = (self.fleet, self.inventory, self.prices, self.current)
        return tuple(dict.fromkeys(name for name in named if name not in ("", LIVE)))

    @property
    def is_live(self) -> bool:
        """Whether a cluster is read."""
        return LIVE in (self.inventory, self.current)

    def read(self) -> Input:
        """Fleet and inventory.

        Raises:
            InvalidInput: Everything that is wrong with any file, or the cluster refuses.
            Unreachable: The cluster does not answer.
        """
        if self.inventory != LIVE:
            return load(self.fleet, self.inventory, self.prices)
        where = {"context": self.context, "kubeconfig": self.kubeconfig}
        return load_live(self.fleet, self.prices, **where)

    def read_current(self, inputs: Input) -> "Plan | RunningFleet | None":
        """What runs now; None where nothing is said to.

        Raises:
            InvalidInput: As ``read_plan`` or ``running_fleet``.
            Unreachable: The cluster does not answer.
        """
        from packer.api.running_fleet import running_fleet
        from packer.api.saved_plan import read_plan

        if self.current != LIVE:
            return read_plan(self.current) if self.current else None
        return running_fleet(
            inputs.fleet.name,
            context=self.context,
            kubeconfig=self.kubeconfig,
            namespace=self.namespace,
        )
