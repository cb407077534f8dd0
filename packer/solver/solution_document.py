"""Solutions as JSON documents, the format the independent judges read."""

from typing import Any

from packer.solver.instance_writer import format_placed
from packer.solver.outcome import Solution, Status


def format_solution(solution: Solution) -> dict[str, Any]:
    """A solution as JSON values."""
    document: dict[str, Any] = {"status": str(solution.status)}
    if solution.status is Status.INFEASIBLE:
        document["conflict"] = list(solution.conflict)
        document["relaxations"] = [
            {"change": one.change, "price": one.price} for one in solution.relaxations
        ]
    elif solution.objective is not None:
        document["placed"] = format_placed(solution.placed)
        document["objective"] = solution.objective
    if solution.status is not Status.INFEASIBLE:
        document["bound"] = solution.bound
    if solution.moves is not None:
        document["moves"] = solution.moves.moved
        document["kept"] = solution.moves.kept
        document["move_cost"] = solution.moves.cost
    document["certificate"] = dict(solution.certificate)
    document["seed"] = solution.seed
    document["seconds"] = round(solution.seconds, 3)
    return document
