"""Speed of every replica of a plan, from its command line and the header of its model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from packer.errors import GpuPackerError

if TYPE_CHECKING:
    from packer.domain.gpu import GpuProduct
    from packer.performance.figure import Figure
    from packer.plan.plan import NodeBudget, Placement, Plan, PlannedFigure, PlannedSpeed


def replica_speeds(plan: "Plan") -> "Mapping[tuple[str, int], PlannedSpeed | str]":
    """(workload, replica) → its speed with all slots busy and half full, or why it is unknown.

    What the plan says itself is taken; a plan of a fleet without demand says nothing.
    """
    nodes = {node.name: node for node in plan.nodes}
    return {
        (one.workload, one.replica): one.speed or _speed(one, nodes[one.node], plan.server.build)
        for one in plan.placements
    }


def _speed(one: "Placement", node: "NodeBudget", build: str) -> "PlannedSpeed | str":
    from packer.catalogue.gpus import gpus_matching

    products = gpus_matching(node.product)
    if len(products) != 1:
        return f"{node.product} is not a card of the catalogue"
    try:
        return _estimated(one, products[0], build)
    except GpuPackerError as error:
        # Such as a model file that was on another machine.
        return f"its model is not here to be read: {error}".splitlines()[0]


def _estimated(one: "Placement", gpu: "GpuProduct", build: str) -> "PlannedSpeed | str":
    from packer.api.model_headers import CommandModels, Models
    from packer.api.process_speed import SpeedQuestion, with_speed
    from packer.llamacpp.arguments import parse_arguments
    from packer.memory.estimate import estimate_memory
    from packer.memory.visible_card import visible_card
    from packer.plan.plan import PlannedSpeed

    files = Models()
    options = parse_arguments(one.argv, build=build)
    draft, projector = one.variant.draft_model, one.variant.projector_model
    models = CommandModels(
        target=files.read(one.variant.model),
        draft=files.read(draft) if draft else None,
        projector=files.read(projector) if projector else None,
        loras=(),
    )
    cards = [visible_card(gpu)] * len(one.gpus)
    memory = estimate_memory(
        models.target, options, cards, draft=models.draft, projector=models.projector, build=build
    )
    depth = max(1, one.variant.context_per_slot // 2)
    found = with_speed(memory, models, options, cards, SpeedQuestion(depth=depth))
    speed = found.speed
    if speed is None:
        return "; ".join(found.speed_notes)
    return PlannedSpeed(
        decode_tokens_per_second=_figure(speed.decode_tokens_per_second),
        decode_aggregate_tokens_per_second=_figure(speed.decode_aggregate_tokens_per_second),
        prefill_tokens_per_second=_figure(speed.prefill_tokens_per_second),
        depth=speed.depth,
        slots=speed.slots,
    )


def _figure(figure: "Figure") -> "PlannedFigure":
    from packer.plan.plan import PlannedFigure

    return PlannedFigure(figure.value, figure.low, figure.high, figure.basis)
