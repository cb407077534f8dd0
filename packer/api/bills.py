"""Who pays for what of a plan, and what a million tokens cost."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.plan.attribution import Attribution
    from packer.plan.plan import Plan


def attribution(
    plan: "Plan", *, key: str = "memory", loads: Sequence[str] = (), tokens: bool = True
) -> "Attribution":
    """The bill of a plan divided among its workloads, idle apart; parts add up to the cent.

    Args:
        plan: The plan.
        key: ``memory``, ``load`` or ``both``: what divides the price of a shared card.
        loads: ``NAME=NUMBER`` of workloads, in any unit; none takes the planned demand, or slots.
        tokens: Whether to say what a million tokens cost, where speed has a basis.

    Raises:
        InvalidInput: A load is none, or of no workload of the plan.
    """
    from packer.plan.attributing import attribute
    from packer.plan.attribution import Key

    speeds = None
    if tokens:
        from packer.api.replica_speeds import replica_speeds

        speeds = replica_speeds(plan)
    return attribute(plan, Key(key), loads=_loads(plan, loads), speeds=speeds)


def _loads(plan: "Plan", texts: Sequence[str]) -> Mapping[str, Decimal]:
    names = [workload.name for workload in plan.workloads]
    loads: dict[str, Decimal] = {}
    problems = []
    for text in texts:
        name, _, number = text.partition("=")
        try:
            load = Decimal(number)
        except InvalidOperation:
            load = Decimal("NaN")
        if name not in names or not load.is_finite() or load < 0:
            why = f"workloads are {', '.join(names)}"
            title = f"--load {text!r} is no load of a workload"
            problems.append(Problem("P0922", title, why=why, help=f"write {names[0]}=2"))
        loads[name] = load
    if problems:
        raise InvalidInput(problems)
    return loads


def attribution_text(share: "Attribution", form: str = "table") -> str:
    """A divided bill as ``table`` or ``json``."""
    if form == "json":
        from packer.spec.contract_text import format_contract

        return format_contract(share)
    from packer.report.comparison_tables import attribution_table

    return attribution_table(share)
