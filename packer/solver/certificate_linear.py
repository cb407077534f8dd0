"""Bounds from integer row prices, recomputed with whole numbers. Part of the independent judge.

Weak duality: for nonnegative prices, every replica pays at least its cheapest way to be placed,
and a GPU or node earns at most what all rows that it gives room to pay for it. What a GPU costs
beyond what it earns is counted at its least or greatest number.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any

Document = Mapping[str, Any]
Bounds = list[tuple[int, int]]
Place = tuple[int, list[int], Sequence[int], Sequence[Sequence[int]]]
"""Node type, summed shares, what the node gives, and the shares."""


def linear_bound(instance: Document, certificate: Document) -> int:
    """The bound the certificate's prices prove.

    Raises:
        ValueError: A stored number is not what it should be.
    """
    return _Recomputation(instance, certificate).bound()


class _Recomputation:
    def __init__(self, instance: Document, certificate: Document) -> None:
        self.instance, self.certificate = instance, certificate
        self.scale: int = certificate["scale"]
        _need(type(self.scale) is int and self.scale > 0, "scale")
        self.types = instance["node_types"]
        self.usable = [one["count"] - len(one.get("unavailable") or ()) for one in self.types]
        self.gpu_cost, self.node_cost = _costs(instance)
        self.classes = [
            (t, capacity, count * self.usable[t])
            for t, one in enumerate(self.types)
            for capacity, count in _card_classes(one)
        ]
        self.functions = [tuple(row) for row in certificate["functions"]]
        self.places = [self._places_of(item) for item in instance["items"]]
        self.dff = [
            [self._numerators(row, places) for places in self.places] for row in self.functions
        ]

    def bound(self) -> int:
        """Smallest value over all leaves, rounded up to the grid of the prices."""
        y: Bounds = [(0, count) for _, _, count in self.classes]
        z: Bounds = [(0, count) for count in self.usable]
        least = self._tree(self.certificate["tree"], y, z)
        grid = gcd(*self.gpu_cost, *self.node_cost) or 1
        return max(0, -(-least // (self.scale * grid)) * grid)

    def _tree(self, tree: Document, y: Bounds, z: Bounds) -> int:
        if "on" not in tree:
            return self._leaf(tree, y, z)
        variable, position = tree["on"]
        _need(variable in ("y", "z"), "branching variable")
        at = tree["at"]
        _need(type(at) is int and type(position) is int, "branching")
        values = []
        for side in ("left", "right"):
            bounds = {"y": list(y), "z": list(z)}
            low, high = bounds[variable][position]
            _need(low <= at < high, "branching value")
            bounds[variable][position] = (low, at) if side == "left" else (at + 1, high)
            values.append(self._tree(tree[side], bounds["y"], bounds["z"]))
        return min(values)

    def _leaf(self, leaf: Document, y: Bounds, z: Bounds) -> int:
        self._check_shape(leaf)
        demand = [self._cheapest(leaf, i) for i in range(len(self.places))]
        _need(list(leaf["demand"]) == demand, "demand prices")
        value: int = sum(
            item["count"] * price
            for item, price in zip(self.instance["items"], demand, strict=True)
        )
        for (t, capacity, _), (low, high) in zip(self.classes, y, strict=True):
            rest = self._gpu_rest(leaf, t, capacity)
            value += rest * (low if rest > 0 else high)
        for t, (low, high) in enumerate(z):
            rest = self._node_rest(leaf, t)
            value += rest * (low if rest > 0 else high)
        _need(leaf["value"] == value, "value of a leaf")
        return value

    def _check_shape(self, leaf: Document) -> None:
        types = len(self.types)
        rows: list[Sequence[int]] = [*leaf["capacity"], *leaf["node"]]
        rows += [leaf["gpu_node"], leaf["node_gpu"], leaf["functions"]]
        rows += [[row[2]] for row in (*leaf["spread_gpu"], *leaf["spread_node"])]
        _need(all(type(p) is int and p >= 0 for row in rows for p in row), "prices")
        _need(len(leaf["capacity"]) == len(leaf["node"]) == types, "rows per type")
        _need(all(len(row) == len(self.instance["dims"]) for row in leaf["capacity"]), "dims")
        _need(all(len(row) == len(self.instance["node_dims"]) for row in leaf["node"]), "dims")
        _need(len(leaf["gpu_node"]) == len(leaf["node_gpu"]) == types, "rows per type")
        _need(len(leaf["functions"]) == len(self.functions), "functions")

    def _gpu_rest(self, leaf: Document, t: int, capacity: Sequence[int]) -> int:
        rest = self.gpu_cost[t] * self.scale + leaf["gpu_node"][t] - leaf["node_gpu"][t]
        rest -= sum(p * c for p, c in zip(leaf["capacity"][t], capacity, strict=True))
        for price, (at, dim, family, parameter) in zip(
            leaf["functions"], self.functions, strict=True
        ):
            if at == t:
                rest -= price * _denominator(family, parameter, self._largest(t, dim))
        for i, at, price in leaf["spread_gpu"]:
            if at == t:
                rest -= price * self.instance["items"][i]["max_per_gpu"]
        return int(rest)

    def _node_rest(self, leaf: Document, t: int) -> int:
        rest = self.node_cost[t] * self.scale + leaf["node_gpu"][t]
        rest -= self.types[t]["gpus"] * leaf["gpu_node"][t]
        rest -= sum(p * c for p, c in zip(leaf["node"][t], self.types[t]["node_cap"], strict=True))
        for i, at, price in leaf["spread_node"]:
            if at == t:
                rest -= price * self.instance["items"][i]["max_per_node"]
        return int(rest)

    def _cheapest(self, leaf: Document, i: int) -> int:
        """Least that one replica of an item pays over all its places."""
        extra: Counter[int] = Counter()
        per_gpu: Counter[int] = Counter()
        for j, t, price in leaf["spread_node"]:
            extra[t] += price if j == i else 0
        for j, t, price in leaf["spread_gpu"]:
            per_gpu[t] += price if j == i else 0
        active = [(f, price) for f, price in enumerate(leaf["functions"]) if price]
        least: int | None = None
        for p, (t, load, node, shares) in enumerate(self.places[i]):
            paid = sum(a * b for a, b in zip(load, leaf["capacity"][t], strict=True))
            paid += sum(a * b for a, b in zip(node, leaf["node"][t], strict=True))
            paid += extra[t] + len(shares) * per_gpu[t]
            paid += sum(price * self.dff[f][i][p] for f, price in active)
            least = paid if least is None or paid < least else least
        return 0 if least is None else least

    def _places_of(self, item: Document) -> list[Place]:
        """Every way to place one replica on an empty node."""
        return [
            (
                t,
                [sum(column) for column in zip(*alternative["shares"], strict=True)],
                alternative["node"],
                alternative["shares"],
            )
            for alternative in item["alts"]
            for t, node_type in enumerate(self.types)
            if self.usable[t] and _fits(alternative, node_type)
        ]

    def _numerators(self, row: Sequence[Any], places: Sequence[Place]) -> list[int]:
        at, dim, family, parameter = row
        capacity = self._largest(at, dim)
        return [
            sum(_numerator(family, parameter, capacity, share[dim]) for share in shares)
            if t == at
            else 0
            for t, _, _, shares in places
        ]

    def _largest(self, t: int, dim: int) -> int:
        one = self.types[t]
        return int(max(cap[dim] for cap in (one.get("gpu_caps") or [one["gpu_cap"]])))


def _costs(instance: Document) -> tuple[list[int], list[int]]:
    kind, types = instance["objective"], instance["node_types"]
    nothing = [0] * len(types)
    if kind == "gpus":
        return [1] * len(types), nothing
    if kind == "gpu_price":
        return [one["gpu_price"] for one in types], nothing
    _need(kind == "node_price", "objective")
    return nothing, [one["node_price"] for one in types]


def _card_classes(node_type: Document) -> list[tuple[tuple[int, ...], int]]:
    caps = node_type.get("gpu_caps") or [node_type["gpu_cap"]] * node_type["gpus"]
    return list(Counter(tuple(cap) for cap in caps).items())


def _fits(alternative: Document, node_type: Document) -> bool:
    """Whether a replica fits an empty node."""
    allowed = alternative.get("gpu_types")
    if allowed and node_type["gpu_type"] not in allowed:
        return False
    if any(a > b for a, b in zip(alternative["node"], node_type["node_cap"], strict=True)):
        return False
    shares = alternative["shares"]
    groups = [list(range(node_type["gpus"]))]
    if alternative.get("one_link") and len(shares) > 1 and node_type.get("links"):
        groups = node_type["links"]
    caps = node_type.get("gpu_caps")
    if not caps:
        room = node_type["gpu_cap"]
        return any(len(group) >= len(shares) for group in groups) and all(
            a <= b for share in shares for a, b in zip(share, room, strict=True)
        )
    return any(_fits_cards(shares, [caps[g] for g in group]) for group in groups)


def _fits_cards(shares: Sequence[Sequence[int]], caps: Sequence[Sequence[int]]) -> bool:
    """Whether distinct cards take the shares: the first share on every card, then the rest."""
    if not shares:
        return True
    return any(
        all(a <= b for a, b in zip(shares[0], cap, strict=True))
        and _fits_cards(shares[1:], [*caps[:position], *caps[position + 1 :]])
        for position, cap in enumerate(caps)
        if cap not in caps[:position]
    )


def _denominator(family: str, parameter: int, capacity: int) -> int:
    if family == "fs":
        return parameter * capacity
    return capacity if family == "mt" else 2 * (capacity // parameter)


def _numerator(family: str, parameter: int, capacity: int, share: int) -> int:
    _need(type(parameter) is int and parameter > 0, "function parameter")
    if family == "fs":
        steps, rest = divmod((parameter + 1) * share, capacity)
        return parameter * share if rest == 0 else steps * capacity
    _need(2 * parameter <= capacity, "function parameter")
    if family == "mt":
        if share > capacity - parameter:
            return capacity
        return 0 if share < parameter else share
    _need(family == "ccm", "function family")
    if 2 * share > capacity:
        return 2 * (capacity // parameter - (capacity - share) // parameter)
    return capacity // parameter if 2 * share == capacity else 2 * (share // parameter)


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"the certificate's {what} does not hold")
