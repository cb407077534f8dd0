"""Whether a plan that was read can be trusted to render: names that need no quoting, references."""

import re
from collections.abc import Iterator

from packer.domain.model_mount import model_pod_path
from packer.domain.mount import InvalidMount
from packer.errors import Location, Problem
from packer.plan.plan import NodeBudget, Placement, Plan
from packer.spec.field_types import (
    BUILD_NUMBER,
    CURRENCY,
    GPU_NAME,
    GPU_UUID,
    IMAGE_REFERENCE,
    NAME,
    NODE_NAME,
    PRODUCT_LABEL,
    SERVICE_NAME,
    ZONE_NAME,
    TextForm,
)

# Kubernetes expands $(NAME) in arguments; no command line of ours has it.
_UNSAFE_ARGUMENT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|\$\(")


def plan_problems(plan: Plan, file: str) -> list[Problem]:
    """Unusable names and broken references of a plan."""
    where = Location(file)
    return [
        *(Problem("P0805", title, where, why) for title, why in _unusable(plan)),
        *(Problem("P0804", "the plan contradicts itself", where, why) for why in _broken(plan)),
    ]


def _unusable(plan: Plan) -> Iterator[tuple[str, str]]:
    for what, text, form in _texts(plan):
        if not form.fits(text):
            yield f"{what} {text[:60]!r} is not usable", form.rule
    for placed in plan.placements:
        for argument in placed.argv:
            if _UNSAFE_ARGUMENT.search(argument):
                yield f"argument {argument[:60]!r} is not usable", "a pod would change it"
        yield from _unusable_mounts(placed)


def _texts(plan: Plan) -> Iterator[tuple[str, str, TextForm]]:
    yield "plan name", plan.name, NAME
    yield "image", plan.server.image, IMAGE_REFERENCE
    yield "build", plan.server.build, BUILD_NUMBER
    for workload in plan.workloads:
        yield "workload", workload.name, SERVICE_NAME
    for node in plan.nodes:
        yield from _node_texts(node)


def _node_texts(node: NodeBudget) -> Iterator[tuple[str, str, TextForm]]:
    yield "node", node.name, NODE_NAME
    yield "pool", node.pool, NAME
    yield "product", node.product, GPU_NAME
    optional = [("zone", node.zone, ZONE_NAME), ("label", node.product_label, PRODUCT_LABEL)]
    optional += [("currency", node.currency, CURRENCY)]
    optional += [("UUID", card.uuid, GPU_UUID) for card in node.cards]
    yield from (one for one in optional if one[1])


def _unusable_mounts(placed: Placement) -> Iterator[tuple[str, str]]:
    variant = placed.variant
    for uri in (variant.mount, variant.draft_mount, variant.projector_mount):
        try:
            if uri:
                model_pod_path(uri)
        except InvalidMount as error:
            yield f"mount {uri[:60]!r} is not usable", str(error)


def _broken(plan: Plan) -> Iterator[str]:
    nodes = {node.name: {card.index for card in node.cards} for node in plan.nodes}
    replicas = {workload.name: workload.replicas for workload in plan.workloads}
    seen: set[tuple[str, int]] = set()
    for placed in plan.placements:
        title = f"{placed.workload}-{placed.replica}"
        if not 0 <= placed.replica < replicas.get(placed.workload, 0):
            yield f"{title} is placed but was not asked for"
        if (placed.workload, placed.replica) in seen:
            yield f"{title} is placed twice"
        seen.add((placed.workload, placed.replica))
        if not placed.gpus or not set(placed.gpus) <= nodes.get(placed.node, set()):
            yield f"{title} sits on cards of {placed.node} that are not listed"
        if len({len(placed.gpus), len(placed.devices), len(placed.variant.layers_per_gpu)}) > 1:
            yield f"{title} has not one entry of bytes and layers per card"
        if not placed.argv:
            yield f"{title} has no command line"
    if len(nodes) < len(plan.nodes) or len(replicas) < len(plan.workloads):
        yield "a node or workload is listed twice"
