"""What a plan must keep to be rendered: a plan file may have been written by anybody.

Every text that becomes a name, a label, a path or part of an expression is held against what
Kubernetes accepts there; nothing is repaired, all problems are told at once.
"""

from collections import Counter
from collections.abc import Iterator

from packer.domain.gpu import mig_slice
from packer.domain.node import Sharing
from packer.errors import InvalidInput, Problem
from packer.kubernetes_objects.card_groups import CardGroup, card_groups
from packer.kubernetes_objects.hami import hami_problems
from packer.kubernetes_objects.litellm import gateway_name
from packer.kubernetes_objects.names import (
    is_gpu_uuid,
    is_image,
    is_label,
    is_label_key,
    is_label_value,
    is_secret_entry,
    is_service_name,
    is_slice_uuid,
    is_subdomain,
)
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.placement_checks import placement_problems, router_problems
from packer.kubernetes_objects.problems import (
    LABEL_RULE,
    SERVICE_RULE,
    SUBDOMAIN_RULE,
    VALUE_RULE,
    contradiction,
    name_problem,
    shown,
)
from packer.kubernetes_objects.server import replica_name
from packer.kubernetes_objects.sharing_choice import RENDERED, sharing_of
from packer.plan.plan import NodeBudget, Plan


def check_plan(plan: Plan, options: RenderOptions) -> None:
    """Refuse a plan that cannot be rendered as it is.

    Raises:
        InvalidInput: With every problem found; groups are only looked at once the rest is sound.
    """
    problems = list(_sound_parts(plan, options)) or [
        problem
        for group in card_groups(plan, options.sharing)
        for problem in _group_problems(group)
    ]
    if problems:
        raise InvalidInput(dict.fromkeys(problems))


def _group_problems(group: CardGroup) -> Iterator[Problem]:
    if group.sharing is Sharing.WHOLE:
        yield from router_problems(group)
    if group.sharing is Sharing.HAMI:
        yield from hami_problems(group)
    if group.slice and len(group.gpus) > 1:
        yield Problem(
            "P0719",
            f"a model is split over {len(group.gpus)} MIG slices of {shown(group.node.name)}",
            why="CUDA shows a process one MIG slice and no more",
            help="plan again: replicas on MIG slices get one slice each",
        )


def _sound_parts(plan: Plan, options: RenderOptions) -> Iterator[Problem]:
    yield from _option_problems(options)
    yield from _plan_problems(plan)
    yield from _structure_problems(plan)
    for node in plan.nodes:
        if node.is_used:
            sharing = sharing_of(node, options.sharing)
            yield from _node_problems(node, sharing)
            yield from _card_problems(node, sharing)
    for placement in plan.placements:
        yield from placement_problems(placement, options)


def _option_problems(options: RenderOptions) -> Iterator[Problem]:
    if options.namespace and not is_label(options.namespace):
        yield name_problem("namespace", options.namespace, LABEL_RULE)
    if options.create_namespace and not options.namespace:
        yield Problem("P0710", "the namespace to create has no name", help="give --namespace NAME")
    if options.api_key_secret and not is_subdomain(options.api_key_secret):
        yield name_problem("Secret", options.api_key_secret, SUBDOMAIN_RULE)
    yield from _gateway_problems(options)
    if not is_secret_entry(options.api_key_entry):
        yield name_problem(
            "key of the Secret", options.api_key_entry, "letters, digits, '-', '_' and '.'"
        )
    for labels in options.pool_selectors.values():
        for key, value in labels.items():
            if not is_label_key(key) or not is_label_value(value):
                yield name_problem("node label", f"{key}={value}", VALUE_RULE)


def _gateway_problems(options: RenderOptions) -> Iterator[Problem]:
    if not is_image(options.gateway_image):
        yield name_problem("gateway image", options.gateway_image, "an image reference, no spaces")
    if not is_subdomain(options.gateway_secret):
        yield name_problem("Secret", options.gateway_secret, SUBDOMAIN_RULE)
    if not is_label(options.monitoring_namespace):
        yield name_problem("namespace", options.monitoring_namespace, LABEL_RULE)
    namespace, _, gateway = options.gateway_parent.rpartition("/")
    if not is_subdomain(gateway) or (namespace and not is_label(namespace)):
        yield name_problem("Gateway", options.gateway_parent, "NAME or NAMESPACE/NAME")


def _route_problems(plan: Plan) -> Iterator[Problem]:
    for route in {workload.band.route: None for workload in plan.workloads if workload.band}:
        if not is_service_name(route):
            yield name_problem("model name of a route", route, SERVICE_RULE)
    if any(workload.name == gateway_name(plan) for workload in plan.workloads):
        yield contradiction(f"a workload has the gateway's name {shown(gateway_name(plan))}")


def _plan_problems(plan: Plan) -> Iterator[Problem]:
    if not is_label(plan.name):
        yield name_problem("plan", plan.name, LABEL_RULE)
    yield from _route_problems(plan)
    for workload in plan.workloads:
        if not is_service_name(workload.name):
            yield name_problem("workload", workload.name, SERVICE_RULE)
    if not is_image(plan.server.image):
        yield name_problem("server image", plan.server.image, "an image reference, no spaces")
    if not is_label_value(plan.server.build):
        yield name_problem("llama.cpp build", plan.server.build, VALUE_RULE)


def _structure_problems(plan: Plan) -> Iterator[Problem]:
    """Parts of the plan that contradict each other."""
    for names in ([w.name for w in plan.workloads], [node.name for node in plan.nodes]):
        for name, count in Counter(names).items():
            if count > 1:
                yield contradiction(f"the plan has {count} of {shown(name)}")
    replicas = Counter((placement.workload, placement.replica) for placement in plan.placements)
    for (workload_name, replica), count in replicas.items():
        if count > 1:
            yield contradiction(
                f"replica {replica} of {shown(workload_name)} is placed {count} times"
            )
    placed = Counter(placement.workload for placement in plan.placements)
    for workload in plan.workloads:
        if placed[workload.name] != workload.replicas:
            yield contradiction(
                f"{placed[workload.name]} of {workload.replicas} replicas of "
                f"{shown(workload.name)} are placed"
            )
    yield from _place_problems(plan)


def _place_problems(plan: Plan) -> Iterator[Problem]:
    """Placements that name no replica, node or card of the plan."""
    cards = {node.name: {card.index for card in node.cards} for node in plan.nodes if node.is_used}
    workloads = {workload.name for workload in plan.workloads}
    for placement in plan.placements:
        name = shown(replica_name(placement))
        if placement.workload not in workloads or placement.replica < 0:
            yield contradiction(f"{name} is no replica of a workload of the plan")
        here, gpus = cards.get(placement.node, set()), placement.gpus
        if not gpus or len(set(gpus)) < len(gpus) or not here.issuperset(gpus):
            yield contradiction(f"{name} is not on cards of a used node of the plan")
        if len(placement.devices) != len(placement.gpus):
            yield contradiction(f"{name} has bytes for another number of cards")


def _node_problems(node: NodeBudget, sharing: Sharing) -> Iterator[Problem]:
    if not is_subdomain(node.name):
        yield name_problem("node", node.name, SUBDOMAIN_RULE)
    if node.zone and not is_label_value(node.zone):
        yield name_problem("zone", node.zone, VALUE_RULE)
    is_sliced = mig_slice(node.product_label) is not None
    if sharing in RENDERED[is_sliced]:
        return
    cards = "MIG slices" if is_sliced else "whole cards"
    ways = ", ".join(sorted(RENDERED[is_sliced] | ({Sharing.MIG} if is_sliced else set())))
    yield Problem(
        "P0712",
        f"the {cards} of pool {shown(node.pool)} cannot be shared by {sharing.value}",
        why="a pool is cut into slices where its GPU is one, such as `A100 SXM 80GB 3g.40gb`",
        help=f"render with --sharing auto, or with one of {ways}",
    )


def _card_problems(node: NodeBudget, sharing: Sharing) -> Iterator[Problem]:
    uuids = [card.uuid for card in node.cards if card.uuid]
    yield from _uuid_problems(node, uuids)
    is_named = node.is_live if sharing is Sharing.WHOLE else len(uuids) == len(node.cards)
    if not is_named and not is_label_value(node.product_label):
        yield Problem(
            "P0713",
            f"the product label {shown(node.product_label)} of pool {shown(node.pool)} "
            "selects no nodes",
            why="without it a pod could be given another kind of card than was planned",
            help="give the pool's GPU the value of the label nvidia.com/gpu.product of its nodes",
        )


def _uuid_problems(node: NodeBudget, uuids: list[str]) -> Iterator[Problem]:
    """UUIDs that name no card, or two cards; slices may name the one card they are cut from."""
    is_sliced = mig_slice(node.product_label) is not None
    for uuid in uuids:
        if is_sliced and not is_slice_uuid(uuid):
            yield name_problem("MIG slice", uuid, "its UUID starts with MIG-, its card's with GPU-")
        if not is_sliced and not is_gpu_uuid(uuid):
            yield name_problem("GPU", uuid, "the UUID of a whole GPU starts with GPU-")
    own = [uuid for uuid in uuids if not is_sliced or uuid.startswith("MIG-")]
    if len(set(own)) < len(own):
        yield contradiction(f"two cards of node {shown(node.name)} have the same UUID")
