"""What a new plan changes of the one it replaces."""

from collections.abc import Iterable, Sequence

from packer.plan.plan import MovedReplica, Moves, Placement
from packer.solver.running_state import RunningReplica


def running_replicas(placements: Iterable[Placement]) -> tuple[RunningReplica, ...]:
    """Placements of a plan as the state a new plan starts from."""
    return tuple(
        RunningReplica(
            workload=one.workload,
            replica=one.replica,
            model=one.variant.model,
            cache_type=one.variant.cache_type_k,
            node=one.node,
            gpus=one.gpus,
            layers_per_gpu=one.variant.layers_per_gpu,
        )
        for one in placements
    )


def moves_between(old: Sequence[Placement], new: Sequence[Placement]) -> Moves:
    """Replicas that stay, move, start and stop. Exact.

    A replica stays when its node, its cards and its command line are the same.
    """
    before = {(one.workload, one.replica): one for one in old}
    after = {(one.workload, one.replica): one for one in new}
    both = [key for key in after if key in before]
    moved = [key for key in both if not _same(before[key], after[key])]
    return Moves(
        kept=len(both) - len(moved),
        moved=tuple(
            MovedReplica(
                *key,
                from_node=before[key].node,
                from_gpus=before[key].gpus,
                node=after[key].node,
                gpus=after[key].gpus,
            )
            for key in moved
        ),
        started=tuple(f"{name}-{number}" for name, number in after if (name, number) not in before),
        stopped=tuple(f"{name}-{number}" for name, number in before if (name, number) not in after),
    )


def _same(old: Placement, new: Placement) -> bool:
    return (old.node, old.gpus, old.argv) == (new.node, new.gpus, new.argv)


def moves_note(moves: Moves) -> str:
    """One line for people."""
    parts = [f"kept {moves.kept}"]
    if moves.moved:
        places = (f"{m.workload}-{m.replica} from {m.from_node} to {m.node}" for m in moves.moved)
        parts.append(f"moved {len(moves.moved)} ({', '.join(places)})")
    if moves.started:
        parts.append(f"started {', '.join(moves.started)}")
    if moves.stopped:
        parts.append(f"stopped {', '.join(moves.stopped)}")
    return f"against the current plan: {'; '.join(parts)}"
