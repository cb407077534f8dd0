"""Bound certificates as JSON documents, sealed with a digest of themselves and the instance."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from packer.solver.certificate import Leaf, LinearCertificate, Split
from packer.solver.instance import Instance
from packer.solver.instance_writer import format_instance
from packer.solver.patterns import SCALE, PatternBound


def certificate_document(instance: Instance, certificate: LinearCertificate) -> dict[str, Any]:
    """The certificate as JSON values, sealed with a digest of itself and the instance."""
    single = isinstance(certificate.tree, Leaf)
    document: dict[str, Any] = {
        "kind": "dff" if certificate.functions else "lp",
        "scale": certificate.scale,
        "bound": certificate.bound,
        "functions": [
            [row.node_type, row.dim, str(row.function.family), row.function.parameter]
            for row in certificate.functions
        ],
        "tree": _tree_document(certificate.tree),
        **certificate.extra,
    }
    if not single:
        document["branched"] = True
    document["digest"] = seal(instance, document)
    return document


def pattern_document(instance: Instance, proven: PatternBound) -> dict[str, Any]:
    """The prices of a configuration bound, and what every kind of GPU earns at most."""
    document: dict[str, Any] = {
        "kind": "patterns",
        "scale": SCALE,
        "bound": proven.value,
        "dim": proven.dim,
        "unit": proven.unit,
        "prices": list(proven.prices),
        "earned": list(proven.earned),
    }
    document["digest"] = seal(instance, document)
    return document


def search_document(
    instance: Instance, *, bound: int | None, conflict: Sequence[str] = ()
) -> dict[str, Any]:
    """A certificate that asks the checker to search again: below a bound, or for a conflict."""
    document: dict[str, Any] = {"kind": "search"}
    if bound is None:
        document["conflict"] = list(conflict)
    else:
        document["bound"] = bound
    document["digest"] = seal(instance, document)
    return document


def _tree_document(tree: Split | Leaf) -> dict[str, Any]:
    if isinstance(tree, Split):
        return {
            "on": [tree.variable, tree.position],
            "at": tree.at,
            "left": _tree_document(tree.left),
            "right": _tree_document(tree.right),
        }
    prices = tree.prices
    return {
        "capacity": [list(row) for row in prices.capacity],
        "node": [list(row) for row in prices.node],
        "gpu_node": list(prices.gpu_node),
        "node_gpu": list(prices.node_gpu),
        "functions": list(prices.functions),
        "spread_gpu": [[i, t, value] for (i, t), value in sorted(prices.spread_gpu.items())],
        "spread_node": [[i, t, value] for (i, t), value in sorted(prices.spread_node.items())],
        "demand": list(tree.demand),
        "value": tree.value,
    }


def seal(instance: Instance, document: Mapping[str, Any]) -> str:
    """SHA-256 over the certificate and the instance it speaks about."""
    unsealed = {key: value for key, value in document.items() if key != "digest"}
    return _digest([canonical(format_instance(instance)), unsealed])


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


_PROVEN_KEYS = ("dims", "node_dims", "objective", "node_types", "items", "constraints")


def canonical(document: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    """What a bound depends on, without defaults: the demands, the supply and the rules."""
    return {key: _without_defaults(document[key]) for key in _PROVEN_KEYS}


def _without_defaults(value: Any) -> Any:
    """Drop empty, null, false and zero entries of objects; give sets an order, zones a sequence."""
    if isinstance(value, Mapping):
        plain = {key: _without_defaults(one) for key, one in value.items() if one}
        for key in ("gpu_types", "unavailable"):
            if key in plain:
                plain[key] = sorted(plain[key])
        if value.get("zones"):
            plain["zones"] = [[name, count] for name, count in value["zones"].items()]
        return plain
    if isinstance(value, list | tuple):
        return [_without_defaults(one) for one in value]
    return value
