"""Changing a running fleet: the difference to a plan, and the way there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from packer.api.manifests import ManifestChoices, manifest_objects

if TYPE_CHECKING:
    from packer.cluster.connection import Connection
    from packer.cluster.difference import Difference
    from packer.cluster.plan_objects import LivePlan
    from packer.plan.plan import Plan
    from packer.plan.rollout.step import Rollout

_READ_BYTES_PER_SECOND = 200_000_000
"""Slowest disk that models are read from, as rendered start-up probes assume [bytes/s]."""


_WIDTH = 100


@dataclass(frozen=True)
class LiveDifference:
    """A plan beside what runs of it.

    Attributes:
        text: In words. is_empty: Whether the cluster is as planned.
    """

    plan: "Plan"
    difference: "Difference"
    live: "LivePlan"
    cluster: "Connection"
    lost_nodes: frozenset[str]
    text: str

    @property
    def is_empty(self) -> bool:
        """Whether the cluster is as planned."""
        return self.difference.is_empty


def diff(
    plan: "Plan",
    *,
    context: str = "",
    kubeconfig: str = "",
    **choices: Unpack[ManifestChoices],
) -> LiveDifference:
    """What separates the cluster from a plan; nothing is written.

    Args:
        plan: The plan.
        context: Context of the kubeconfig; empty takes the current one.
        kubeconfig: File; empty takes ``KUBECONFIG``, then ``~/.kube/config``.
        choices: What the plan leaves open, as for ``render``.

    Raises:
        InvalidInput: No kubeconfig, no namespace, or missing permissions.
        Unreachable: The cluster does not answer.
    """
    from packer.cluster.connection import Connection
    from packer.cluster.difference import compare, difference_text
    from packer.cluster.kubeconfig import find_target
    from packer.cluster.plan_objects import read_plan_objects
    from packer.cluster.reading import lost_nodes_of

    namespace = choices.setdefault("namespace", "llm")
    bodies = manifest_objects(plan, **choices)
    cluster = Connection(find_target(kubeconfig, context))
    lost = lost_nodes_of(cluster)
    live = read_plan_objects(cluster, plan.name, namespace, bodies, lost)
    difference = compare(live, bodies)
    return LiveDifference(plan, difference, live, cluster, lost, difference_text(difference, plan))


def check_fits(found: LiveDifference) -> None:
    """Refuse a plan that does not fit the cluster, or does not any more.

    Raises:
        InvalidInput: P1026 the cluster is too old for the way cards are shared, P1031 it is for
            another cluster, P1032 the inventory has changed since.
    """
    from packer.cluster.reading import read_cluster
    from packer.cluster.requirements import check_new_enough, ways_of
    from packer.cluster.staleness import check_plan_fits

    live = read_cluster(found.cluster, replaced=found.plan.name)
    check_new_enough(live, ways_of(found.difference.rendered.values()))
    check_plan_fits(live, found.plan)


def order_of(found: LiveDifference, *, prune: bool = False) -> "Rollout":
    """The steps of a change, with the peak of every card and the downtime, before any is done.

    Raises:
        InvalidInput: The new servers do not fit beside those that stay.
    """
    from packer.cluster.rollout import rollout_of

    largest = max((one.variant.file_bytes for one in found.plan.placements), default=0)
    return rollout_of(
        found.difference,
        found.plan,
        start_seconds=largest / _READ_BYTES_PER_SECOND,
        prune=prune,
        lost_nodes=found.lost_nodes,
    )


def rollout_text(found: LiveDifference, rollout: "Rollout") -> str:
    """The way of a change in words: steps, peak of every card, gaps in service."""
    from packer.cluster.rollout import capacity_of
    from packer.report.rollout_table import rollout_text as text_of

    return text_of(rollout, capacity_of(found.plan, found.difference), _WIDTH)


def apply(
    found: LiveDifference,
    rollout: "Rollout",
    *,
    prune: bool = False,
    dry_run: bool = False,
    patience_seconds: float = 1800.0,
    told: Callable[[str], None] = lambda text: None,
) -> tuple[tuple[str, str], ...]:
    """Carry out a change; returns kind and name of everything written or deleted.

    Args:
        found: The difference.
        rollout: Its order.
        prune: Whether what the plan has no more is deleted.
        dry_run: Whether the server only checks every object.
        patience_seconds: Longest wait for one step [s].
        told: Receives one line per wave.

    Raises:
        InvalidInput: Something is refused or does not get ready; the same call goes on from there.
        Unreachable: The cluster does not answer any more; likewise.
    """
    from packer.cluster.carrying_out import Carrier
    from packer.cluster.writing import Writer

    writer = Writer(found.cluster, found.live.namespace, found.plan.name, dry_run=dry_run)
    unseen = {
        key: body
        for key, body in found.difference.rendered.items()
        if key not in found.live.objects
    }
    writer.refuse_strangers(unseen)
    carrier = Carrier(
        writer,
        found.live,
        found.difference,
        patience_seconds=patience_seconds,
        lost_nodes=found.lost_nodes,
        told=told,
    )
    carrier.carry_out(rollout, prune=prune)
    return tuple(writer.written)
