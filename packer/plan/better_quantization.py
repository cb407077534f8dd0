"""What the next better quantization of a workload would cost, found by planning with it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from packer.domain.workload import Workload
from packer.plan.plan import Alternative
from packer.solver.assignment import Assignment
from packer.solver.candidates import CandidateSet, Refused
from packer.solver.fleet_instance import FleetInstance
from packer.solver.instance import Instance
from packer.solver.narrowed import Narrowed

Resolve = Callable[[Instance, str], Narrowed | None]
"""Plans an instance with fewer alternatives of one item; None when no more is answered."""


def worst_rank(assignments: Sequence[Assignment], workload: str) -> int:
    """Rank of the least wanted quantization any replica of a workload got; 0 is the best."""
    return max(one.candidate.variant for one in assignments if one.candidate.workload == workload)


def why_not_better(
    one: CandidateSet, rank: int, packed: FleetInstance, value: int, resolve: Resolve
) -> str:
    """One line: what the next better quantization would take. Empty when the first was chosen.

    Args:
        one: Candidates of the workload.
        rank: Worst rank it got.
        packed: The instance of the plan.
        value: Its objective.
        resolve: Plans an instance with fewer alternatives of one item.
    """
    if rank == 0:
        return ""
    workload = one.workload
    better = workload.variants[rank - 1].quantization
    keep = tuple(i for i, c in enumerate(one.candidates) if c.variant < rank)
    if not keep:
        return f"{better} fits no card: {closest_miss(one, rank - 1)}"
    answer = resolve(_only(packed.instance, workload.name, keep), workload.name)
    if answer is None:
        return f"{better} was not tried: only the first few such questions are answered"
    if answer.objective is None:
        effort = "" if answer.proven else " in the effort for such questions"
        return f"no plan with {better} {'exists' if answer.proven else 'was found'}{effort}"
    more = answer.objective - value
    if more <= 0:
        return f"{better} would push another workload down its list"
    return f"{better} needs {'' if answer.proven else 'at most '}{_amount(more, packed)} more"


def _only(instance: Instance, name: str, keep: tuple[int, ...]) -> Instance:
    """The instance with one item's alternatives cut down, and only its objective to reach."""
    items = tuple(
        replace(
            item,
            alternatives=tuple(
                replace(one, penalty=0)
                for i, one in enumerate(item.alternatives)
                if item.name != name or i in keep
            ),
        )
        for item in instance.items
    )
    return replace(instance, items=items, even_headroom=False, current=None)


def _amount(more: int, packed: FleetInstance) -> str:
    amount = packed.value(more)
    if packed.instance.objective.value == "gpus":
        return f"{amount} card{'s' if amount != 1 else ''}"
    return f"{amount:.2f} per hour"


def closest_miss(one: CandidateSet, rank: int) -> str:
    """Arithmetic of the refusal that came nearest, for one quantization."""
    said = [refused for refused in one.refused if refused.variant == rank]
    return said[-1].reason if said else "no card was asked"


def refused_alternatives(one: CandidateSet) -> tuple[Alternative, ...]:
    """What was considered and refused, with the arithmetic, in the order of the user's wishes."""
    return tuple(
        Alternative(_choice(one.workload, refused), refused.reason) for refused in one.refused
    )


def _choice(workload: Workload, refused: Refused) -> str:
    quantization = workload.variants[refused.variant].quantization
    return f"{quantization} · KV {refused.cache_type} on {refused.gpu}"
