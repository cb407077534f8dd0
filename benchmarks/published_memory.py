"""The article on GPU memory for several models, beside our figures and our own fleets."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packer import api
from packer.catalogue.gpus import find_gpu
from packer.catalogue.models import load_model_file
from packer.domain.server_options import ServerOptions
from packer.memory.estimate import estimate_memory
from packer.memory.visible_card import visible_card
from packer.plan.plan import Plan

ROOT = Path(__file__).parents[1]
_FLEETS = ROOT / "tests/data/published/fleets"
_TOKENS = 128 * 1024
_GB, _MB = 1e9, 1e6


@dataclass(frozen=True)
class FleetRatio:
    """Cards of one fleet, planned and one FP16 model per card set."""

    name: str
    card: str
    replicas: int
    fp16: int
    planned: int

    @property
    def ratio(self) -> float:
        """How many times more cards one FP16 model per card set takes."""
        return self.fp16 / self.planned


def cache_bytes_per_token(model: str) -> int:
    """Bytes of one token's keys and values at 16 bits, from our memory model."""
    file = load_model_file(model, "F16")
    sizes = [
        estimate_memory(file, ServerOptions(context_size=cells, slots=1), ()).host.context_bytes
        for cells in (1024, 2048)
    ]
    return (sizes[1] - sizes[0]) // 1024


def our_figures(model: str) -> tuple[float, float, float]:
    """Cache per token [MB], per request of 128Ki tokens and per four of them [GB]."""
    each = cache_bytes_per_token(model)
    return each / _MB, each * _TOKENS / _GB, 4 * each * _TOKENS / _GB


def buffer_shares(model: str) -> tuple[float, float]:
    """Compute buffer and process overhead on the cards as shares of the weights, at 16 bits."""
    file, card = load_model_file(model, "F16"), visible_card(find_gpu("H100 SXM"))
    found = estimate_memory(file, ServerOptions(context_size=8192, slots=1), (card,) * 4)
    weights = sum(device.weights_bytes for device in found.devices)
    compute = sum(device.compute_bytes for device in found.devices)
    process = sum(device.process_bytes for device in found.devices)
    return compute / weights, process / weights


def fleet_ratios() -> Iterator[FleetRatio]:
    """Our own over-provisioning on six fleets, each planned to a proven optimum."""
    example = ROOT / "examples/01-four-models-one-card/fleet.yaml"
    yield _ratio(api.plan(api.load(example, ROOT / "inventories/one-l40s.yaml")))
    for fleet in sorted(_FLEETS.glob("*.yaml")):
        if not fleet.name.endswith(".inventory.yaml"):
            yield _ratio(api.plan(api.load(fleet, fleet.with_suffix(".inventory.yaml"))))


def _ratio(plan: Plan) -> FleetRatio:
    fp16 = plan.baselines.fp16_one_model_per_card_set_cards
    if fp16 is None or plan.status.value != "optimal":
        raise ValueError(f"{plan.name} has no proven plan or no FP16 baseline")
    products = {node.product for node in plan.nodes if node.is_used}
    return FleetRatio(
        plan.name, ", ".join(sorted(products)), len(plan.placements), fp16, plan.cards
    )


def section(article: dict[str, Any]) -> Iterator[str]:
    """The section of the page."""
    yield f"## A. {article['title']}"
    yield f"\nRead at {article['origin']}.\n"
    yield "| figure | article | ours | difference |"
    yield "|---|---|---|---|"
    for row, ours in zip(article["figures"], our_figures(article["model"]), strict=True):
        error = ours / row["measured"] - 1
        unit = row["unit"]
        yield f"| {row['what']} | {row['measured']:g} {unit} | {ours:.3g} {unit} | {error:+.0%} |"
    compute, process = buffer_shares(article["model"])
    low, high = article["activations_percent"]
    yield f"| activations, of the weights | {low}–{high} % | {compute:.1%} | refuted |"
    low, high = article["framework_percent"]
    yield f"| framework, of the weights | {low}–{high} % | {process:.1%} | refuted |"
    yield """
The formula is right: 327,680 bytes per token are 0.31 MiB, and 128Ki of them 40 GiB; the
differences are those of binary and decimal units. What a process takes beside weights and cache
does not scale with the weights: the compute buffer follows width and physical batch, the rest is
one CUDA context per process and card. (Here four H100 hold the model.)
"""
    yield "One FP16 model per card set, as the article finds it, beside the proven packed plan:\n"
    yield "| fleet | card | replicas | one FP16 model per card set | packed | ratio |"
    yield "|---|---|---|---|---|---|"
    ratios = list(fleet_ratios())
    for one in ratios:
        yield (
            f"| {one.name} | {one.card} | {one.replicas} | {one.fp16} | {one.planned} | "
            f"{one.ratio:.1f} |"
        )
    fp16, packed = sum(one.fp16 for one in ratios), sum(one.planned for one in ratios)
    yield f"| all | | | {fp16} | {packed} | {fp16 / packed:.1f} |"
    least, most = min(one.ratio for one in ratios), max(one.ratio for one in ratios)
    yield f"""
The article says about {article["requisitioned_ratio"]} times; ours is {least:.1f} to {most:.1f},
the more the smaller the models are beside the card. “Four models on the hardware of one” holds for
the first fleet. Quantization is part of the ratio, as it is of the article's."""
