"""Alternatives that are never needed: another one takes no more anywhere and is wanted no less."""

from packer.solver.fit import within
from packer.solver.instance import Alternative, Instance, Item, Rule, Scope, Vector


def undominated(instance: Instance, *, ignore_penalty: bool) -> tuple[tuple[int, ...], ...]:
    """Positions of the alternatives to consider, per item.

    Args:
        instance: The packing problem.
        ignore_penalty: Drop what is larger even where it is wanted more; right for the objective
            and its bound, wrong for the levels after it.
    """
    spanning = {
        one.items[1]
        for one in instance.constraints
        if one.rule is Rule.AFFINITY and one.scope is Scope.GPU
    }
    # A replica on more GPUs can satisfy more of an affinity on GPUs, so nothing dominates there.
    return tuple(
        tuple(range(len(item.alternatives)))
        if item.name in spanning
        else _undominated_of(item, ignore_penalty)
        for item in instance.items
    )


def _undominated_of(item: Item, ignore_penalty: bool) -> tuple[int, ...]:
    sorted_shares = [tuple(sorted(one.shares, reverse=True)) for one in item.alternatives]
    order = sorted(range(len(item.alternatives)), key=lambda a: (_total(sorted_shares[a]), a))
    kept: list[int] = []
    for a in order:
        if not any(
            _dominates(
                item.alternatives[b], item.alternatives[a], sorted_shares[b], sorted_shares[a]
            )
            and (ignore_penalty or item.alternatives[b].penalty <= item.alternatives[a].penalty)
            for b in kept
        ):
            kept.append(a)
    return tuple(sorted(kept))


def _total(shares: tuple[Vector, ...]) -> tuple[int, ...]:
    return tuple(sum(share[d] for share in shares) for d in range(len(shares[0])))


def _dominates(
    small: Alternative, large: Alternative, few: tuple[Vector, ...], many: tuple[Vector, ...]
) -> bool:
    """Whether wherever ``large`` fits, ``small`` fits too and leaves no less. Sufficient test."""
    if len(few) > len(many) or not within(small.node, large.node):
        return False
    if small.one_link and len(few) > 1 and not large.one_link:
        return False
    if small.gpu_types is not None and (
        large.gpu_types is None or not large.gpu_types <= small.gpu_types
    ):
        return False
    return all(within(a, b) for a, b in zip(few, many, strict=False))
