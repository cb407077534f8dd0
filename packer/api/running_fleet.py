"""What runs of a fleet, read from its cluster."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packer.plan.running import RunningFleet


def running_fleet(
    name: str, *, context: str = "", kubeconfig: str = "", namespace: str = "llm"
) -> "RunningFleet":
    """The replicas of a fleet that run in a cluster, as a state to plan from.

    Args:
        name: Of the fleet.
        context: Context of the kubeconfig; empty takes the current one.
        kubeconfig: File; empty takes ``KUBECONFIG``, then ``~/.kube/config``.
        namespace: Where its servers are.

    Raises:
        InvalidInput: Nothing runs, objects were changed by hand, or rights are missing.
        Unreachable: The cluster does not answer.
    """
    from packer.cluster.connection import Connection
    from packer.cluster.kubeconfig import find_target
    from packer.cluster.live_plan import read_running_fleet

    return read_running_fleet(Connection(find_target(kubeconfig, context)), name, namespace)
