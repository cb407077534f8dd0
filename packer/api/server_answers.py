"""What running servers say of themselves, beside what was planned: /props, /slots, /metrics."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from packer.errors import InvalidInput, Problem
from packer.plan.finding import Finding

if TYPE_CHECKING:
    from packer.cluster.answers import Told
    from packer.cluster.connection import Connection
    from packer.cluster.verification import RunningPod
    from packer.plan.plan import Placement

_AT_ONCE = 8
"""Servers asked at the same time."""


@dataclass(frozen=True)
class AskedReplica:
    """What one replica's server said.

    Attributes:
        name: Of the replica, such as ``chat-0``.
        devices: What its process calls its cards, in the order of the placement's.
        log: Of its pod. is_routed: Whether that is the log of a router with several models.
    """

    name: str
    placement: "Placement"
    pod: "RunningPod"
    devices: tuple[str, ...]
    is_routed: bool
    props: "Told"
    slots: "Told"
    metrics: "Told"
    log: "Told"


def ask_replicas(
    cluster: "Connection",
    namespace: str,
    pods: "Sequence[RunningPod]",
    served: "dict[str, tuple[Placement, ...]]",
    api_key: str = "",
) -> list[AskedReplica]:
    """Answers of every replica whose server has a pod.

    Raises:
        InvalidInput: P1023, rights to ask pods or read their logs are missing; all of them.
    """
    running = [one for one in pods if one.pod is not None]
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        tries = list(
            workers.map(
                lambda one: _tried(cluster, namespace, one, served[one.server.name], api_key),
                running,
            )
        )
    refused = {p.title: p for one in tries if isinstance(one, InvalidInput) for p in one.problems}
    if refused:
        raise InvalidInput(list(refused.values()))
    return [asked for one in tries if not isinstance(one, InvalidInput) for asked in one]


def _tried(
    cluster: "Connection",
    namespace: str,
    one: "RunningPod",
    placements: "tuple[Placement, ...]",
    api_key: str,
) -> list[AskedReplica] | InvalidInput:
    """Answers of one pod's replicas, or every right that is missing for them."""
    from packer.cluster.answers import Told, answer_of, log_of

    missing: list[Problem] = []
    pod = one.pod or {}
    log = Told()
    try:
        log = log_of(cluster, namespace, pod)
    except InvalidInput as error:
        missing += error.problems

    def ask(path: str) -> "Told":
        return answer_of(cluster, namespace, pod, path, api_key=api_key)

    is_routed = len(placements) > 1 or not _is_replica(one, placements)
    found: list[AskedReplica] = []
    try:
        for placement in placements:
            model = f"?model={quote(placement.workload, safe='')}" if is_routed else ""
            name = f"{placement.workload}-{placement.replica}"
            devices = _devices(one, placement, is_routed=is_routed)
            found.append(
                AskedReplica(
                    name,
                    placement,
                    one,
                    devices,
                    is_routed,
                    props=ask(f"/props{model}"),
                    slots=ask(f"/slots{model}"),
                    metrics=ask(f"/metrics{model}"),
                    log=log,
                )
            )
    except InvalidInput as error:
        missing += error.problems
    return InvalidInput(missing) if missing else found


def _is_replica(one: "RunningPod", placements: "tuple[Placement, ...]") -> bool:
    return [one.server.name] == [f"{p.workload}-{p.replica}" for p in placements]


def _devices(one: "RunningPod", placement: "Placement", *, is_routed: bool) -> tuple[str, ...]:
    """Names of its cards: its own, numbered as given; a router's models see all of the router's."""
    if not is_routed:
        return tuple(f"CUDA{index}" for index in range(len(placement.gpus)))
    return tuple(f"CUDA{one.server.cards.index(gpu)}" for gpu in placement.gpus)


def answer_findings(asked: AskedReplica) -> Iterator[Finding]:
    """Slots, contexts, model and build as the server tells them, and how it has done so far."""
    yield from _props_findings(asked)
    yield from _slots_findings(asked)
    yield from _metrics_findings(asked)


def _props_findings(asked: AskedReplica) -> Iterator[Finding]:
    from packer.llamacpp.server_props import read_server_props

    answer, why_not = _object(asked.props)
    if answer is None:
        yield Finding(asked.name, "/props", "an answer", why_not, None)
        return
    props, variant = read_server_props(answer), asked.placement.variant
    context = planned_context(asked.placement)
    for what, planned, found in (
        ("/props slots", str(variant.slots), props.slots),
        ("/props context per slot", str(context), props.context_per_slot),
        ("/props model file", model_file(asked.placement), file_name(props.model_path) or None),
    ):
        same = None if found is None else str(found) == planned
        yield Finding(asked.name, what, planned, "not told" if found is None else str(found), same)


def _slots_findings(asked: AskedReplica) -> Iterator[Finding]:
    from packer.llamacpp.server_slots import read_server_slots

    planned = f"{asked.placement.variant.slots} of {planned_context(asked.placement)}"
    try:
        slots = read_server_slots(json.loads(asked.slots.text or "null"))
    except ValueError as error:
        why_not = asked.slots.why_not or str(error)
        yield Finding(asked.name, "/slots", planned, why_not, None)
        return
    sizes = sorted(set(slots.contexts))
    found = f"{len(slots.contexts)} of {' and '.join(map(str, sizes))}"
    yield Finding(asked.name, "/slots", planned, found, found == planned)
    drafts = "--spec-type" in asked.placement.argv or "--spec-draft-model" in asked.placement.argv
    words = {True: "yes", False: "no"}
    yield Finding(
        asked.name,
        "/slots draft",
        words[drafts],
        words[slots.is_speculative],
        drafts == slots.is_speculative,
    )


def _metrics_findings(asked: AskedReplica) -> Iterator[Finding]:
    """The longest request must fit; a speed is only told: it averages all depths and loads."""
    from packer.llamacpp.server_metrics import metrics_of

    metrics = metrics_of(asked.metrics.text)
    if not metrics:
        why_not = asked.metrics.why_not or "no figure of llama.cpp is in it"
        yield Finding(asked.name, "/metrics", "an answer", why_not, None)
        return
    most = planned_context(asked.placement)
    longest = int(metrics.get("n_tokens_max", 0))
    yield Finding(
        asked.name, "/metrics longest request", f"at most {most}", str(longest), longest <= most
    )
    speed, average = asked.placement.speed, metrics.get("predicted_tokens_seconds", 0.0)
    if speed is not None and average:
        figure = speed.decode_tokens_per_second
        yield Finding(
            asked.name,
            "/metrics tokens per second",
            f"{figure.value:.4g} at depth {speed.depth}, {speed.slots} slots",
            f"{average:.4g} on average",
            None,
            f"{figure.low:.4g} to {figure.high:.4g}",
            str(figure.basis),
        )


def model_file(placement: "Placement") -> str:
    """Name of the planned model file; its folder is that of the pod, whoever looks at it."""
    return file_name(flag_value(placement, "--model"))


def file_name(path: str) -> str:
    """Last part of a path."""
    return PurePosixPath(path).name


def planned_context(placement: "Placement") -> int:
    """Cells one slot may use, as llama.cpp makes them of the command line. Exact [tokens].

    Source: llama.cpp b11434, src/llama-context.cpp: n_ctx is shared, or parted and padded.
    """
    from packer.llamacpp.server_props import padded_context

    variant = placement.variant
    size = flag_value(placement, "--ctx-size")
    if not size.isdecimal():
        return padded_context(variant.context_per_slot)
    parts = 1 if "--kv-unified" in placement.argv else variant.slots
    return padded_context(padded_context(int(size)) // parts)


def _object(told: "Told") -> tuple[dict[str, object] | None, str]:
    """The JSON object of an answer, or why there is none."""
    if told.why_not:
        return None, told.why_not
    try:
        answer = json.loads(told.text)
    except ValueError:
        answer = None
    return (answer, "") if isinstance(answer, dict) else (None, "it answers no JSON object")


def flag_value(placement: "Placement", flag: str) -> str:
    """Value of a flag of the planned command line; empty without it."""
    words = placement.argv
    return words[words.index(flag) + 1] if flag in words[:-1] else ""
