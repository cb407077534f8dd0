"""What a plan can lose or gain before it breaks."""

from decimal import Decimal
from typing import TYPE_CHECKING

from packer.api.inputs import Input
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.domain.node import Inventory
    from packer.plan.plan import Plan
    from packer.plan.risk import Risk


def risk(
    inputs: Input,
    plan: "Plan",
    *,
    terms: str = "",
    time_limit_seconds: float = 5.0,
    total_seconds: float = 300.0,
    seed: int = 1,
    workers: int = 2,
) -> "Risk":
    """Losses of a card, node or zone, and memory, context, replicas and prices changed.

    Args:
        inputs: The fleet and the inventory the plan was made from.
        plan: The plan.
        terms: Terms of payment the plan was made on; empty is as the inventory says.
        time_limit_seconds: Wall time of the solver for each question [s].
        total_seconds: Wall time of all; questions that are left are called not asked [s].
        seed: Seed of every random choice.
        workers: Solver threads.

    Raises:
        InvalidInput: The plan was made from other files.
    """
    from packer.plan.assessing import assess
    from packer.solver.stopping import Limits

    _check(inputs, plan)
    inventory = _on_terms(inputs, terms) if terms else inputs.inventory
    _check_nodes(inventory, plan)
    limits = Limits(time_seconds=time_limit_seconds, seed=seed, workers=workers, effort=0.2)
    return assess(plan, inputs.fleet, inventory, limits=limits, total_seconds=total_seconds)


def _check(inputs: Input, plan: "Plan") -> None:
    """Refuse files that changed since: answers about another fleet would mislead."""
    pairs = {
        "fleet": (inputs.fleet_sha256, plan.inputs.fleet_sha256),
        "inventory": (inputs.inventory_sha256, plan.inputs.inventory_sha256),
    }
    changed = [name for name, (now, then) in pairs.items() if now != then]
    if changed:
        raise InvalidInput(
            Problem(
                "P0923",
                f"the plan was made from another {' and another '.join(changed)}",
                why="its hash in the plan is not that of the file",
                help="plan again with these files, or name those the plan was made from",
            )
        )


def _on_terms(inputs: Input, terms: str) -> "Inventory":
    from packer.plan.priced_inventory import as_written, on_terms

    return on_terms(as_written(inputs.inventory, inputs.inventory_sha256), terms).inventory


def _check_nodes(inventory: "Inventory", plan: "Plan") -> None:
    """Refuse other terms of payment or rates: nodes would be missing or cost otherwise."""
    prices = {
        pool.node_name(index): pool.price_per_hour
        for pool in inventory.pools
        for index in range(pool.nodes)
    }
    for node in plan.nodes:
        if node.is_used and prices.get(node.name, _MISSING) != node.price_per_hour:
            here = prices.get(node.name, _MISSING)
            why = "there is none here" if here is _MISSING else f"it costs {here} here"
            raise InvalidInput(
                Problem(
                    "P0923",
                    f"the plan has a node {node.name} at {node.price_per_hour} per hour",
                    why=why,
                    help="name the --terms and the price book the plan was made with",
                )
            )


_MISSING = Decimal(-1)


def risk_text(found: "Risk", form: str = "table", *, width: int = 120) -> str:
    """The risk as ``table`` or ``json``."""
    if form == "json":
        from packer.spec.contract_text import format_contract

        return format_contract(found)
    from packer.report.risk_table import risk_table

    return risk_table(found, width=width)
