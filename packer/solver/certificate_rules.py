"""Which requirements a search must keep, and which alternatives it needs. Part of the judge."""

from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]


class Rules:
    """Which requirements hold."""

    def __init__(self, instance: Document, requirements: Sequence[str] | None) -> None:
        self._kept = None if requirements is None else frozenset(requirements)
        self.constraints = [
            one
            for position, one in enumerate(instance["constraints"])
            if self.holds(f"constraint:{position}")
        ]
        partners = {one["items"][1] for one in self.constraints if one["type"] == "affinity"}
        self.items = [
            item
            for item in instance["items"]
            if item["count"] and (self.must(item) or item["name"] in partners)
        ]

    def holds(self, requirement: str) -> bool:
        """Whether a requirement is kept."""
        return self._kept is None or requirement in self._kept

    def must(self, item: Document) -> bool:
        """Whether the replicas of an item must be placed."""
        return self.holds(f"count:{item['name']}")

    def limit(self, item: Document, scope: str) -> int | None:
        """Spread limit of an item at a scope, if it is kept."""
        if not self.holds(f"antiaff:{item['name']}:{scope}"):
            return None
        most = item.get(f"max_per_{scope}")
        return None if most is None else int(most)

    def types(self, item: Document, alternative: Document) -> Sequence[str] | None:
        """GPU types of an alternative, if they are kept; None allows all."""
        allowed: Sequence[str] | None = alternative.get("gpu_types") or None
        return allowed if self.holds(f"types:{item['name']}") else None


def needed(alternatives: Sequence[Document]) -> list[Document]:
    """Alternatives without those that another one can always stand in for."""
    needed: list[Document] = []
    for one in sorted(alternatives, key=lambda a: [sum(c) for c in zip(*a["shares"], strict=True)]):
        if not any(_stands_in(other, one) for other in needed):
            needed.append(one)
    return needed


def _stands_in(small: Document, large: Document) -> bool:
    few, many = sorted(small["shares"], reverse=True), sorted(large["shares"], reverse=True)
    types = small.get("gpu_types") or None
    return (
        (types is None or set(large.get("gpu_types") or ["any"]) <= set(types))
        and (large["one_link"] or len(few) == 1 or not small["one_link"])
        and len(few) <= len(many)
        and within(small["node"], large["node"])
        and all(within(a, b) for a, b in zip(few, many, strict=False))
    )


def within(need: Sequence[int], room: Sequence[int]) -> bool:
    """Whether a vector is nowhere above another."""
    return all(a <= b for a, b in zip(need, room, strict=True))
