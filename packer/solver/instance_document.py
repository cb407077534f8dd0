"""Instances from JSON documents: strict reading, with all problems at once."""

from collections.abc import Iterable

from packer.errors import InvalidInput
from packer.solver.document_reader import DocumentReader
from packer.solver.instance import (
    SCHEMA,
    Alternative,
    Constraint,
    Current,
    Instance,
    Item,
    NodeType,
    Objective,
    Placed,
    Rule,
    Scope,
)
from packer.solver.supported_size import size_problems

_DESCRIPTION = ("cls", "source", "license", "seed", "note", "known")
_PLACED_KEYS = ("item", "alt", "node", "gpus")


def parse_instance(document: object) -> Instance:
    """The instance a parsed JSON document describes.

    Raises:
        InvalidInput: Anything is missing, of a wrong type or out of range; carries every problem.
    """
    reader = DocumentReader()
    top = reader.mapping(
        document,
        "the instance",
        ("schema", "name", "dims", "node_dims", "objective", "node_types", "items", "constraints"),
        ("current", "even_headroom", *_DESCRIPTION),
    )
    if not top:
        raise InvalidInput(reader.problems)
    reader.choice(top.get("schema", SCHEMA), "schema", (SCHEMA,))
    dims = _texts(reader, top.get("dims", ()), "dims")
    node_dims = _texts(reader, top.get("node_dims", ()), "node_dims")
    node_types = tuple(
        _node_type(reader, value, f"node_types[{position}]", len(dims), len(node_dims))
        for position, value in enumerate(reader.sequence(top.get("node_types", ()), "node_types"))
    )
    items = tuple(
        _item(reader, value, f"items[{position}]", len(dims), len(node_dims))
        for position, value in enumerate(reader.sequence(top.get("items", ()), "items"))
    )
    constraints = tuple(
        _constraint(reader, value, f"constraints[{position}]", {item.name for item in items})
        for position, value in enumerate(reader.sequence(top.get("constraints", ()), "constraints"))
    )
    instance = Instance(
        reader.text(top.get("name", ""), "name"),
        dims,
        node_dims,
        Objective(reader.choice(top.get("objective", "gpus"), "objective", list(Objective))),
        node_types,
        items,
        constraints,
        _current(reader, top.get("current")),
        reader.flag(top.get("even_headroom", False), "even_headroom"),
    )
    _unique(reader, "dims", dims)
    _unique(reader, "items", (item.name for item in items))
    _unique(reader, "node_types", (node_type.name for node_type in node_types))
    problems = reader.problems or size_problems(instance)
    if problems:
        raise InvalidInput(problems)
    return instance


def _texts(reader: DocumentReader, value: object, path: str) -> tuple[str, ...]:
    return tuple(
        reader.text(entry, f"{path}[{position}]")
        for position, entry in enumerate(reader.sequence(value, path))
    )


def _unique(reader: DocumentReader, path: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            reader.refuse("P0607", f"{path} has two entries named '{name}'", "give each its name")
        seen.add(name)


def _node_type(
    reader: DocumentReader, value: object, path: str, dims: int, node_dims: int
) -> NodeType:
    keys = ("name", "gpu_type", "count", "gpus", "gpu_cap", "node_cap", "gpu_price", "node_price")
    entry = reader.mapping(value, path, keys, ("zones", "links", "unavailable", "gpu_caps"))
    count = reader.whole(entry.get("count", 0), f"{path}.count")
    gpus = reader.whole(entry.get("gpus", 1), f"{path}.gpus", 1)
    gpu_cap = reader.vector(entry.get("gpu_cap", (1,) * dims), f"{path}.gpu_cap", dims)
    for position, capacity in enumerate(gpu_cap):
        if capacity == 0:
            reader.refuse(
                "P0608",
                f"{path}.gpu_cap[{position}] is zero",
                "leave out node types that can hold nothing",
            )
    return NodeType(
        reader.text(entry.get("name", ""), f"{path}.name"),
        reader.text(entry.get("gpu_type", ""), f"{path}.gpu_type"),
        count,
        gpus,
        gpu_cap,
        reader.vector(entry.get("node_cap", (0,) * node_dims), f"{path}.node_cap", node_dims),
        reader.whole(entry.get("gpu_price", 0), f"{path}.gpu_price"),
        reader.whole(entry.get("node_price", 0), f"{path}.node_price"),
        _zones(reader, entry.get("zones"), f"{path}.zones", count),
        _links(reader, entry.get("links"), f"{path}.links", gpus),
        frozenset(_indices(reader, entry.get("unavailable") or (), f"{path}.unavailable", count)),
        _gpu_caps(reader, entry.get("gpu_caps"), f"{path}.gpu_caps", gpus, dims),
    )


def _zones(
    reader: DocumentReader, value: object, path: str, count: int
) -> tuple[tuple[str, int], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        reader.mapping(value, path, ())
        return ()
    zones = tuple(
        (str(name), reader.whole(nodes, f"{path}.{name}")) for name, nodes in value.items()
    )
    total = sum(nodes for _, nodes in zones)
    if zones and total != count:
        reader.refuse(
            "P0606", f"{path} sum to {total} nodes, not {count}", "give every node one zone"
        )
    return zones


def _indices(reader: DocumentReader, value: object, path: str, below: int) -> tuple[int, ...]:
    indices = reader.vector(value, path, None)
    for index in indices:
        if index >= below:
            reader.refuse("P0606", f"{path} names {index}", f"the last one is {below - 1}")
    if len(set(indices)) != len(indices):
        reader.refuse("P0607", f"{path} names an index twice", "name it once")
    return indices


def _links(
    reader: DocumentReader, value: object, path: str, gpus: int
) -> tuple[tuple[int, ...], ...]:
    if value is None:
        return ()
    return tuple(
        _indices(reader, group, f"{path}[{position}]", gpus)
        for position, group in enumerate(reader.sequence(value, path))
    )


def _gpu_caps(
    reader: DocumentReader, value: object, path: str, gpus: int, dims: int
) -> tuple[tuple[int, ...], ...]:
    if value is None:
        return ()
    rows = reader.sequence(value, path)
    if len(rows) not in (0, gpus):
        reader.refuse("P0605", f"{path} has {len(rows)} GPUs, not {gpus}", "write one per GPU")
        return ()
    return tuple(
        reader.vector(row, f"{path}[{position}]", dims) for position, row in enumerate(rows)
    )


def _item(reader: DocumentReader, value: object, path: str, dims: int, node_dims: int) -> Item:
    keys = ("name", "count", "alts", "max_per_gpu", "max_per_node", "max_per_zone")
    entry = reader.mapping(value, path, keys)
    alternatives = tuple(
        _alternative(reader, alternative, f"{path}.alts[{position}]", dims, node_dims)
        for position, alternative in enumerate(
            reader.sequence(entry.get("alts", ()), f"{path}.alts")
        )
    )
    return Item(
        reader.text(entry.get("name", ""), f"{path}.name"),
        reader.whole(entry.get("count", 0), f"{path}.count"),
        alternatives,
        *(reader.optional_whole(entry.get(key), f"{path}.{key}", 1) for key in keys[3:]),
    )


def _alternative(
    reader: DocumentReader, value: object, path: str, dims: int, node_dims: int
) -> Alternative:
    keys = ("name", "shares", "node", "gpu_types", "one_link")
    entry = reader.mapping(value, path, keys, ("penalty",))
    shares = reader.sequence(entry.get("shares", ((0,) * dims,)), f"{path}.shares")
    if not shares:
        reader.refuse("P0605", f"{path}.shares is empty", "write one share per GPU")
    gpu_types = entry.get("gpu_types")
    return Alternative(
        reader.text(entry.get("name", ""), f"{path}.name"),
        tuple(
            reader.vector(share, f"{path}.shares[{position}]", dims)
            for position, share in enumerate(shares)
        ),
        reader.vector(entry.get("node", (0,) * node_dims), f"{path}.node", node_dims),
        None if not gpu_types else frozenset(_texts(reader, gpu_types, f"{path}.gpu_types")),
        reader.flag(entry.get("one_link", False), f"{path}.one_link"),
        reader.whole(entry.get("penalty", 0), f"{path}.penalty"),
    )


def _constraint(reader: DocumentReader, value: object, path: str, known: set[str]) -> Constraint:
    entry = reader.mapping(value, path, ("type", "items", "scope"))
    names = _texts(reader, entry.get("items", ()), f"{path}.items")
    for name in names:
        if name not in known:
            reader.refuse("P0606", f"{path} names '{name}'", "name an item of the instance")
    rule = Rule(reader.choice(entry.get("type", Rule.AFFINITY), f"{path}.type", list(Rule)))
    if rule is Rule.AFFINITY and len(names) != 2:
        reader.refuse("P0605", f"{path} joins {len(names)} items", "name exactly two items")
    scope = Scope(reader.choice(entry.get("scope", Scope.NODE), f"{path}.scope", list(Scope)))
    return Constraint(rule, names, scope)


def _current(reader: DocumentReader, value: object) -> Current | None:
    if value is None:
        return None
    entry = reader.mapping(value, "current", ("placed", "move_cost"), ("event",))
    costs = entry.get("move_cost", {})
    if not isinstance(costs, dict):
        reader.mapping(costs, "current.move_cost", ())
        costs = {}
    return Current(
        parse_placed(reader, entry.get("placed", ()), "current.placed"),
        {
            str(name): reader.whole(cost, f"current.move_cost.{name}")
            for name, cost in costs.items()
        },
        reader.text(entry.get("event", ""), "current.event"),
    )


def parse_placed(reader: DocumentReader, value: object, path: str) -> tuple[Placed, ...]:
    """Placements of a solution or of what runs now; indices are not checked against an instance."""
    placed = []
    for position, row in enumerate(reader.sequence(value, path)):
        where = f"{path}[{position}]"
        entry = reader.mapping(row, where, _PLACED_KEYS)
        node_type, node = reader.vector(entry.get("node", (0, 0)), f"{where}.node", 2)
        placed.append(
            Placed(
                reader.text(entry.get("item", ""), f"{where}.item"),
                reader.whole(entry.get("alt", 0), f"{where}.alt"),
                node_type,
                node,
                reader.vector(entry.get("gpus", ()), f"{where}.gpus", None),
            )
        )
    return tuple(placed)
