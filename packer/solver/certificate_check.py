"""An independent judge of a solution: placements by counting, bounds in exact arithmetic.

Works on the JSON documents alone. Shares nothing with the solver: own reading of the instance, own
rules, own dual feasible functions; CP-SAT is used for certificates of kind ``search`` only.
Every number stored in a certificate is computed again and must be equal.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from packer.solver.certificate_linear import linear_bound
from packer.solver.certificate_patterns import pattern_value
from packer.solver.certificate_placement import count_objective
from packer.solver.certificate_search import is_impossible

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What was verified: the counted objective (None if infeasible) and the proven bound."""

    objective: int | None
    bound: int | None


_BROKEN = (
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    ValueError,
    ArithmeticError,
    RecursionError,  # a tree as deep as JSON may be
)
"""What values of another form, or far beyond reason, end in."""


class Refused(ValueError):
    """A solution or its certificate does not hold; the message says what."""


def verify_solution(instance: Document, solution: Document) -> Verdict:
    """Check a solution against an instance.

    Raises:
        Refused: Anything claimed is not so.
    """
    try:
        return _verify(instance, solution)
    except Refused:
        raise
    except _BROKEN as broken:
        raise Refused(f"not a valid solution: {broken!r}") from broken


def _verify(instance: Document, solution: Document) -> Verdict:
    certificate = solution["certificate"]
    _check_seal(instance, certificate)
    if solution["status"] == "infeasible":
        return _verify_infeasible(instance, solution, certificate)
    objective = count_objective(instance, solution["placed"])
    bound = _proven_bound(instance, certificate)
    _equal("objective", solution["objective"], objective)
    _equal("bound", solution["bound"], bound)
    if bound > objective:
        raise Refused(f"the bound {bound} is above the objective {objective}")
    if (solution["status"] == "optimal") != (bound == objective):
        raise Refused(f"status {solution['status']} with objective {objective} and bound {bound}")
    return Verdict(objective, bound)


def _verify_infeasible(instance: Document, solution: Document, certificate: Document) -> Verdict:
    conflict = solution["conflict"]
    if certificate["kind"] != "search" or list(certificate["conflict"]) != list(conflict):
        raise Refused("the certificate is not about the conflict")
    if not conflict or not is_impossible(instance, below=None, requirements=conflict):
        raise Refused("the conflict can be resolved, or could not be shown not to be")
    return Verdict(None, None)


def _proven_bound(instance: Document, certificate: Document) -> int:
    kind = certificate["kind"]
    if kind == "search":
        bound = _whole(certificate["bound"])
        if bound > 0 and not is_impossible(instance, below=bound, requirements=None):
            raise Refused(f"something cheaper than {bound} exists, or could not be excluded")
        return bound
    if kind not in ("lp", "dff", "patterns"):
        raise Refused(f"no certificate of kind {kind!r} is known")
    compute = pattern_value if kind == "patterns" else linear_bound
    bound = compute(instance, certificate)
    _equal("certificate's bound", certificate["bound"], bound)
    return bound


def _whole(value: object) -> int:
    if type(value) is not int:
        raise Refused(f"{value!r} is not a whole number")
    return value


def _equal(what: str, stored: object, counted: int) -> None:
    if type(stored) is not int or stored != counted:
        raise Refused(f"the {what} is stored as {stored!r}, but it is {counted}")


def _check_seal(instance: Document, certificate: Document) -> None:
    """The digest covers the certificate and what of the instance a bound depends on."""
    keys = ("dims", "node_dims", "objective", "node_types", "items", "constraints")
    proven = {key: _plain(instance[key]) for key in keys}
    unsealed = {key: value for key, value in certificate.items() if key != "digest"}
    text = json.dumps([proven, unsealed], sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    if hashlib.sha256(text.encode()).hexdigest() != certificate["digest"]:
        raise Refused("the certificate was changed, or belongs to another instance")


def _plain(value: Any) -> Any:
    """Objects without entries that say nothing, sets in order, zones as pairs."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    plain = {}
    for key, one in value.items():
        if not one:
            continue
        if key == "zones":
            plain[key] = [[name, count] for name, count in one.items()]
        else:
            plain[key] = sorted(one) if key in ("gpu_types", "unavailable") else _plain(one)
    return plain
