"""Why a workload runs where it does, in words, from a saved plan alone."""

from difflib import get_close_matches

from packer.domain.workload import Objective
from packer.errors import InvalidInput, Problem
from packer.plan.plan import Placement, Plan, PlannedSpeed, Status, WorkloadSummary
from packer.units import format_gib


def explain_workload(plan: Plan, name: str) -> str:
    """The decision about one workload: where, as what, what else was considered, what would help.

    Raises:
        InvalidInput: The plan has no such workload; the nearest is named.
    """
    summary = _summary(plan, name)
    placements = [one for one in plan.placements if one.workload == name]
    lines = [
        f"{name}: {summary.model} ({summary.architecture}), {summary.replicas} × "
        f"{summary.slots} slots of {summary.context_per_slot} tokens",
        "",
        "Chosen",
        *(line for one in placements for line in _placement_lines(plan, one)),
        "",
        "Why not better",
        f"  {summary.why_not_better or 'the most wanted quantization was chosen'}",
    ]
    lines += _speed_lines(summary, placements)
    if summary.refused:
        lines += ["", "Considered and refused"]
        lines += [f"  {one.choice}: {one.reason}" for one in summary.refused]
    lines += ["", "The next cheaper plan", f"  {_next_cheaper(plan)}"]
    return "\n".join(lines)


def _summary(plan: Plan, name: str) -> WorkloadSummary:
    for summary in plan.workloads:
        if summary.name == name:
            return summary
    names = [summary.name for summary in plan.workloads]
    near = get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"the plan has {', '.join(names)}"
    raise InvalidInput(Problem("P0806", f"the plan has no workload {name!r}", help=hint))


def _placement_lines(plan: Plan, one: Placement) -> list[str]:
    node = next(node for node in plan.nodes if node.name == one.node)
    variant = one.variant
    lines = [
        f"  {one.workload}-{one.replica} on {one.node} ({node.product}): {variant.quantization} · "
        f"KV {variant.cache_type_k} · sizes {variant.basis}"
    ]
    for gpu, layers, device in zip(one.gpus, variant.layers_per_gpu, one.devices, strict=True):
        card = node.cards[gpu]
        neighbours = sorted(
            f"{other.workload}-{other.replica}"
            for other in plan.placements
            if other.node == one.node and gpu in other.gpus and other != one
        )
        beside = f", beside {', '.join(neighbours)}" if neighbours else ", alone"
        lines.append(
            f"    card {gpu}: {layers} of {variant.layer_count} layers, "
            f"{format_gib(device.high_bytes)} GiB "
            f"(weights {format_gib(device.weights_bytes)}, "
            f"context {format_gib(device.context_bytes)}, "
            f"compute {format_gib(device.compute_bytes)}, "
            f"process {format_gib(device.process_bytes)}); "
            f"{format_gib(card.slack_bytes)} GiB of the card left{beside}"
        )
    lines.append(f"    {' '.join(one.argv)}")
    return lines


def _speed_lines(summary: WorkloadSummary, placements: list[Placement]) -> list[str]:
    """What was asked of speed, what each replica does, and what was weighed."""
    lines = []
    if summary.demand is not None:
        asked = summary.demand
        goals = []
        if asked.goal_decode_tokens_per_second:
            goals.append(f"{asked.goal_decode_tokens_per_second:g} tokens/s per slot")
        if asked.goal_first_token_p95_seconds:
            goals.append(f"first token within {asked.goal_first_token_p95_seconds:g} s (p95)")
        lines += [
            "",
            "Asked",
            f"  {asked.requests_per_second:.3g} requests/s, prompts {asked.input_p50} tokens "
            f"(p95 {asked.input_p95}), answers {asked.output_p50} (p95 {asked.output_p95})"
            + (f"; {', '.join(goals)}" if goals else ""),
        ]
    speeds = [(one, one.speed) for one in placements if one.speed is not None]
    if speeds:
        lines += ["", "Speed"]
    lines += [f"  {one.workload}-{one.replica}: {speed_words(speed)}" for one, speed in speeds]
    if summary.decisions:
        lines += ["", "Weighed"]
        lines += [f"  {one.choice}: {one.reason}" for one in summary.decisions]
    return lines


def speed_words(speed: PlannedSpeed) -> str:
    """Figures of one replica in one line, the bands in brackets."""
    one = speed.decode_tokens_per_second
    words = [
        f"{one.value:.3g} tokens/s per slot [{one.low:.3g}–{one.high:.3g}, {one.basis}] with "
        f"{speed.slots} busy at {speed.depth} tokens",
        f"{speed.prefill_tokens_per_second.value:.3g} prompt tokens/s",
    ]
    if speed.first_token_p95_seconds is not None:
        words.append(f"first token within {speed.first_token_p95_seconds:.2g} s (p95)")
    if speed.load_permille:
        words.append(f"{speed.load_permille / 10:.1f} % of its cards' time")
    if speed.overflow_probability:
        words.append(f"shared cache too small in {speed.overflow_probability:.1g} of all moments")
    return ", ".join(words)


def _next_cheaper(plan: Plan) -> str:
    """What keeps the plan from being one card smaller."""
    used = [
        (card.used_bytes, node.name, card.index)
        for node in plan.nodes
        for card in node.cards
        if card.used_bytes
    ]
    least, node_name, index = min(used)
    on_it = sorted(
        f"{one.workload}-{one.replica}"
        for one in plan.placements
        if one.node == node_name and index in one.gpus
    )
    unit = f"{plan.currency}/h"
    if plan.objective is Objective.CARDS:
        unit = "card" if plan.bound == 1 else "cards"
    if plan.status is Status.OPTIMAL:
        proof = f"is proven to need {plan.bound} {unit}"
    else:
        value = plan.objective_value
        proof = f"is proven to need at least {plan.bound} {unit}, and this plan takes {value}"
    if len(used) == 1:
        return f"as asked, the fleet {proof}; it sits on one card, and fewer there are none"
    return (
        f"as asked, the fleet {proof}; the emptiest used card, {node_name} card {index}, holds "
        f"{format_gib(least)} GiB ({', '.join(on_it)}): asking for less there (a smaller "
        "quantization, context or number of slots) is the first step to one card fewer"
    )
