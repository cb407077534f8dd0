"""What a new plan changes of the one it replaces."""

from collections.abc import Iterable, Sequence

from packer.plan.plan import MovedReplica, Moves, Placement
from packer.plan.running import Running, RunningPlacement, command_sha256, running_placements
from packer.solver.running_state import RunningReplica


def running_replicas(placements: Iterable[Running]) -> tuple[RunningReplica, ...]:
    """What runs now, as the state a new plan starts from."""
    return tuple(
        RunningReplica(
            workload=one.workload,
            replica=one.replica,
            model=one.model,
            cache_type=one.cache_type,
            node=one.node,
            gpus=one.gpus,
            layers_per_gpu=one.layers_per_gpu,
        )
        for one in running_placements(placements)
    )


def moves_between(old: Sequence[Running], new: Sequence[Placement]) -> Moves:
    """Replicas that stay, move, start and stop. Exact.

    A replica stays when its node, its cards and its command line are the same.
    """
    before = {(one.workload, one.replica): one for one in running_placements(old)}
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


def _same(old: RunningPlacement, new: Placement) -> bool:
    place = (old.node, old.gpus) == (new.node, new.gpus)
    return place and old.command_sha256 == command_sha256(new.argv)


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
