"""Whether the running fleet is the planned one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from packer.api.manifests import ManifestChoices, manifest_objects, served_placements
from packer.plan.finding import Finding

if TYPE_CHECKING:
    from packer.api.fleet_calibrating import FleetCalibration
    from packer.api.server_answers import AskedReplica
    from packer.cluster.connection import Connection
    from packer.plan.plan import Plan

_WIDTH = 120


@dataclass(frozen=True)
class Verification:
    """Everything that was looked at.

    Attributes:
        plan: Name of the plan.
        learnt: What a calibration was asked to gather; None where none was.
    """

    plan: str
    findings: tuple[Finding, ...]
    learnt: "FleetCalibration | None" = None

    @property
    def is_as_planned(self) -> bool:
        """Whether nothing was found that differs."""
        return all(one.is_as_planned is not False for one in self.findings)

    @property
    def text(self) -> str:
        """A table of what does not agree, or one line that all does."""
        return verification_text(self)


def verification_text(found: Verification, *, width: int = _WIDTH, shows_all: bool = False) -> str:
    """The same for a terminal of a width; what agrees is listed too on request."""
    from packer.report.verification_table import verification_text as text_of

    return text_of(found.findings, found.plan, width, shows_all=shows_all)


def verify_fleet(
    plan: "Plan",
    *,
    context: str = "",
    kubeconfig: str = "",
    asks_servers: bool = True,
    api_key: str = "",
    calibrates: bool = False,
    **choices: Unpack[ManifestChoices],
) -> Verification:
    """Pods, cards and flags beside the plan, and what the servers and their logs say.

    Args:
        plan: The plan.
        context: Context of the kubeconfig; empty takes the current one.
        kubeconfig: File; empty takes ``KUBECONFIG``, then ``~/.kube/config``.
        asks_servers: Whether ``/props``, ``/slots`` and ``/metrics`` of every server are asked and
            its log is read, through the API server.
        api_key: Key the servers ask for; empty asks without one.
        calibrates: Whether measured speeds and overheads are gathered.
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
    if not asks_servers:
        return Verification(plan.name, tuple(findings))
    from packer.api.server_answers import ask_replicas

    asked = ask_replicas(cluster, namespace, pods, served_placements(plan, **choices), api_key)
    # Servers that do not answer are a finding; a cluster that does not is an error.
    cluster.get("/version")
    findings += [finding for one in asked for finding in _said(one)]
    learnt = _learnt(plan, cluster, namespace, asked) if calibrates else None
    return Verification(plan.name, tuple(findings), learnt)


def _said(asked: "AskedReplica") -> Iterator[Finding]:
    from packer.api.logged_buffers import log_findings
    from packer.api.server_answers import answer_findings

    yield from answer_findings(asked)
    yield from log_findings(asked)


def _learnt(
    plan: "Plan", cluster: "Connection", namespace: str, asked: "Sequence[AskedReplica]"
) -> "FleetCalibration":
    from packer.api.fleet_calibrating import FleetCalibration
    from packer.cluster.answers import ended_log_of

    learnt = FleetCalibration(plan)
    for one in asked:
        learnt.learn(one, ended_log_of(cluster, namespace, one.pod.pod or {}))
    return learnt
