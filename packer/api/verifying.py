"""Whether the running fleet is the planned one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from packer.api.manifests import ManifestChoices, manifest_objects
from packer.errors import GpuPackerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packer.cluster.connection import Connection
    from packer.cluster.verification import Finding, RunningPod
    from packer.plan.plan import Plan


@dataclass(frozen=True)
class Verification:
    """Everything that was looked at.

    Attributes:
        text: A table of what is not as planned, or one line that all is.
    """

    findings: "tuple[Finding, ...]"
    text: str

    @property
    def is_as_planned(self) -> bool:
        """Whether nothing was found that differs."""
        return all(one.is_as_planned is not False for one in self.findings)


def verify_fleet(
    plan: "Plan",
    *,
    context: str = "",
    kubeconfig: str = "",
    asks_servers: bool = True,
    **choices: Unpack[ManifestChoices],
) -> Verification:
    """Pods, cards and flags beside the plan, and what the servers say of themselves.

    Args:
        plan: The plan.
        context: Context of the kubeconfig; empty takes the current one.
        kubeconfig: File; empty takes ``KUBECONFIG``, then ``~/.kube/config``.
        asks_servers: Whether ``/props`` of every server is asked, through the API server.
        choices: What the plan leaves open, as for ``render``.

    Raises:
        InvalidInput: No kubeconfig, or missing permissions.
        Unreachable: The cluster does not answer.
    """
    from packer.cluster.connection import Connection
    from packer.cluster.kubeconfig import find_target
    from packer.cluster.verification import running_pods, verify_pods

    namespace = choices.setdefault("namespace", "llm")
    bodies = manifest_objects(plan, **choices)
    cluster = Connection(find_target(kubeconfig, context))
    pods = running_pods(cluster, plan.name, namespace, bodies)
    findings = [*verify_pods(cluster, plan, namespace, pods)]
    if asks_servers:
        findings += _answers(cluster, plan, namespace, pods)
    return Verification(tuple(findings), _text(findings, plan))


def _answers(
    cluster: "Connection", plan: "Plan", namespace: str, pods: "list[RunningPod]"
) -> "Iterator[Finding]":
    """What every server of one model says of itself; routers tell their models, not themselves."""
    from packer.cluster.verification import Finding, answer_of
    from packer.llamacpp.server_props import padded_context, read_server_props

    placements = {f"{one.workload}-{one.replica}": one for one in plan.placements}
    for one in pods:
        placement = placements.get(one.server.name)
        if placement is None or one.pod is None:
            continue
        try:
            props = read_server_props(answer_of(cluster, namespace, one.pod, "/props"))
        except GpuPackerError as error:
            why = str(error).splitlines()[0]
            yield Finding(one.server.name, "/props", "an answer", why, None)
            continue
        slots, context = placement.variant.slots, padded_context(placement.variant.context_per_slot)
        for what, planned, found in (
            ("slots", slots, props.slots),
            ("context per slot", context, props.context_per_slot),
        ):
            same = None if found is None else found == planned
            yield Finding(one.server.name, what, str(planned), str(found), same)


def _text(findings: "list[Finding]", plan: "Plan") -> str:
    wrong = [one for one in findings if one.is_as_planned is False]
    silent = [one for one in findings if one.is_as_planned is None]
    servers = len({one.server for one in findings})
    lines = [
        f"{one.server}  {one.what}: planned {one.planned}, found {one.found}"
        for one in (*wrong, *silent)
    ]
    head = (
        f"{len(wrong)} differences from the plan {plan.name}"
        if wrong
        else f"{servers} servers are as the plan {plan.name} says"
    )
    unknown = f"; {len(silent)} could not be told" if silent else ""
    return "\n".join([f"{head}: {len(findings)} things looked at{unknown}", *lines])
