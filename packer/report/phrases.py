"""Sentences and phrases that several reports say the same way."""

from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

from packer.domain.workload import Objective
from packer.plan.cost import CostKind, CostLine
from packer.plan.headline import Headline
from packer.plan.plan import PlannedSpeed
from packer.report.card_figures import ProcessFigures
from packer.report.document import Report
from packer.report.wording import COST_NAMES, counted, rate
from packer.report.workload_figures import ReplicaGroup, WorkloadFigures
from packer.units import format_quantity


def layer_range(first: int, last: int) -> str:
    """Layers of one card: ``layers 0–41``."""
    return f"layers {first}–{last}" if last > first else f"layer {first}"


def process_words(process: ProcessFigures) -> str:
    """A process and, when its replica is split, its layers: ``chat-0 layers 0–41``."""
    if not process.is_split:
        return process.name
    if process.first_layer is None or process.last_layer is None:
        return f"{process.name} no layers"
    return f"{process.name} {layer_range(process.first_layer, process.last_layer)}"


def replica_words(name: str, replicas: Sequence[int]) -> str:
    """Replicas by name, long runs shortened: ``chat-0, chat-1`` or ``chat-0 to chat-12``."""
    runs: list[list[int]] = []
    for replica in sorted(replicas):
        if runs and replica == runs[-1][-1] + 1:
            runs[-1].append(replica)
        else:
            runs.append([replica])
    words = [
        f"{name}-{run[0]} to {name}-{run[-1]}"
        if len(run) > 2
        else ", ".join(f"{name}-{replica}" for replica in run)
        for run in runs
    ]
    return ", ".join(words)


def place_words(group: ReplicaGroup) -> str:
    """Where the replicas of a group run, by product: ``L40S: l40s-0 GPU 0 + 1, …``."""
    by_product: dict[str, list[str]] = {}
    for place in group.places:
        cards = " + ".join(map(str, place.gpus))
        by_product.setdefault(place.product, []).append(f"{place.node} GPU {cards}")
    return "; ".join(f"{product}: {', '.join(where)}" for product, where in by_product.items())


def chosen_words(group: ReplicaGroup) -> str:
    """What a group of replicas runs: ``Q4_K_M · KV q8_0 · 8 × 16Ki``."""
    variant = group.variant
    parts = [variant.quantization]
    if group.context_bytes:
        same = variant.cache_type_k == variant.cache_type_v
        types = variant.cache_type_k + ("" if same else f"/{variant.cache_type_v}")
        parts.append(f"KV {types}")
    parts.append(f"{variant.slots} × {format_quantity(variant.context_per_slot)}")
    if variant.cache_cells:
        parts[-1] += f" sharing {variant.cache_cells} cells"
    if variant.draft_model:
        parts.append("with draft model")
    elif variant.speculation not in ("", "none"):
        parts.append(f"drafts by {variant.speculation}")
    if variant.cpu_expert_layers:
        parts.append(f"experts of {variant.cpu_expert_layers} layers in node memory")
    if group.speed is not None:
        parts.append(speed_words(group.speed))
    return " · ".join(parts)


def speed_words(speed: PlannedSpeed) -> str:
    """Speed of one slot, and the first token where a demand tells it: ``≈44 tokens/s``."""
    words = f"≈{speed.decode_tokens_per_second.value:.3g} tokens/s per slot"
    if speed.first_token_p95_seconds is not None:
        words += f", first ≤ {speed.first_token_p95_seconds:.2g} s"
    return words


def choices(one: WorkloadFigures) -> dict[str, int]:
    """Choice in words → replicas that run it, whatever cards they are on."""
    counts: dict[str, int] = {}
    for group in one.groups:
        words = chosen_words(group)
        counts[words] = counts.get(words, 0) + group.replicas
    return counts


def joined_notes(facts: Report) -> list[str]:
    """Notes of a plan; workloads with the same note share one line."""
    names = {one.asked.name for one in facts.workloads}
    about: dict[str, list[str]] = {}
    for note in facts.notes:
        name, colon, text = note.partition(": ")
        if colon and name in names:
            about.setdefault(text, []).append(name)
        else:
            about.setdefault(note, [])
    return [f"{', '.join(who)}: {text}" if who else text for text, who in about.items()]


def cost_name(line: CostLine) -> str:
    """What a line of the bill pays for."""
    return line.name if line.kind is CostKind.WORKLOAD else COST_NAMES[line.kind]


def status_words(head: Headline, bound: Decimal, objective: Objective, currency: str) -> str:
    """How good a plan is known to be: ``optimal, proved``, or its bound and gap.

    The first word of a proved plan appears nowhere else.
    """
    if head.is_proved:
        return "optimal, proved"
    if objective is Objective.PRICE:
        least = f"at least {rate(bound, currency, 'h')}"
    else:
        least = f"at least {counted(int(bound.to_integral_value(ROUND_CEILING)), 'card')}"
    return f"feasible, {least} proved necessary, gap {head.gap_percent} %"


def verdict(head: Headline, objective: Objective) -> str:
    """What the proof means, in a sentence."""
    better = "costs less" if objective is Objective.PRICE else "takes fewer cards"
    if head.is_proved:
        return f"No plan on this inventory {better}."
    return f"A plan that {better} may exist, by at most {head.gap_percent} %."
