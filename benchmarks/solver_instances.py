"""Fresh packing instances of the benchmark's classes, from a seed: none of them was tuned on.

Fleets draw models by size (0.5 to 240 GB of weights, log-uniform over the usual ones), their
quantizations, cache types and slots as alternatives, and skewed replica counts; perfect cuts draw
pieces until every GPU is used up, so their optimum is known; triplets and uniform items are the
classic bin-packing classes. Sizes are MiB, bandwidth GB/s, ``servers`` the processes on a card.
"""

import random
from typing import Any

Document = dict[str, Any]

CARDS = (
    ("L4x4", "L4", 4, [22800, 300, 16], 45600, 80),
    ("RTX4090x8", "RTX4090", 8, [24200, 1008, 16], 96800, 70),
    ("L40Sx8", "L40S", 8, [45800, 864, 16], 183200, 160),
    ("A100-80x8", "A100-80", 8, [81000, 2039, 16], 324000, 220),
    ("H100-80x8", "H100-80", 8, [81200, 3350, 16], 324800, 350),
    ("H200-141x8", "H200-141", 8, [143000, 4800, 16], 572000, 450),
)
SHARES = (0.07, 0.16, 0.23, 0.23, 0.18, 0.13)
"""Part of the GPUs per card type."""
TYPE_LIMITS = (
    ["A100-80", "H100-80", "H200-141"],
    ["H100-80", "H200-141"],
    ["L40S", "A100-80", "H100-80"],
)
NO_LIMIT = 1_000_000_000


def fleet(
    seed: int,
    models: int,
    gpus: int,
    replicas: int,
    *,
    objective: str = "gpus",
    multi: bool = False,
    spread: bool = False,
    zones: bool = False,
    constraints: bool = False,
) -> Document:
    """A fleet of models on all six card types, about half of whose room it needs."""
    draw = random.Random(seed)
    node_types = [
        _node_type(one, share, gpus, multi, zones) for one, share in zip(CARDS, SHARES, strict=True)
    ]
    counts = _counts(draw, models, replicas)
    items = [_model(draw, f"model{i}", counts[i], multi) for i in range(models)]
    items = _within(draw, items, gpus, 0.5)
    if spread:
        _spread(draw, items, zones)
    return _document(
        f"fleet-{models}-{gpus}-{seed}",
        objective,
        node_types,
        items,
        _rules(draw, items) if constraints else [],
    )


def _within(draw: random.Random, items: list[Document], gpus: int, part: float) -> list[Document]:
    """Fewer replicas of the most numerous, until they take about a part of the room."""
    room = sum(card[3][0] * share for card, share in zip(CARDS, SHARES, strict=True)) * gpus
    size = {one["name"]: min(sum(s[0] for s in a["shares"]) for a in one["alts"]) for one in items}
    while sum(size[one["name"]] * one["count"] for one in items) > part * room:
        one = max(items, key=lambda item: size[item["name"]] * (item["count"] - 1))
        if one["count"] == 1:
            break
        one["count"] = max(1, one["count"] * 2 // 3)
    return items


def _node_type(
    card: tuple[str, str, int, list[int], int, int],
    share: float,
    gpus: int,
    multi: bool,
    zones: bool,
) -> Document:
    name, gpu_type, per_node, cap, host, price = card
    count = max(1, round(gpus * share / per_node))
    document: Document = {
        "name": name,
        "gpu_type": gpu_type,
        "count": count,
        "gpus": per_node,
        "gpu_cap": cap,
        "node_cap": [host if multi else NO_LIMIT],
        "gpu_price": price,
        "node_price": price * per_node,
    }
    if zones:
        parts = [count // 3 + (z < count % 3) for z in range(3)]
        document["zones"] = {f"z{z}": part for z, part in enumerate(parts) if part}
    if multi and gpu_type == "A100-80":
        document["links"] = [[0, 1, 2, 3], [4, 5, 6, 7]]
    return document


def _counts(draw: random.Random, models: int, replicas: int) -> list[int]:
    """At least one each, the rest by a power law."""
    weights = [draw.paretovariate(1.1) for _ in range(models)]
    total = sum(weights)
    return [1 + int((replicas - models) * weight / total) for weight in weights]


def _model(draw: random.Random, name: str, count: int, multi: bool) -> Document:
    weights = round(2 ** draw.uniform(10.2, 17.0))
    cache = round(weights * draw.uniform(0.02, 0.2)) + draw.randint(50, 900)
    speed = max(1, round(weights / 1024 * draw.uniform(0.5, 12.0)))
    bits = draw.choice(["4.5", "4.85", "5.7", "6.6", "8.5"])
    allowed = draw.choice(TYPE_LIMITS) if draw.random() < 0.075 else None
    host = round(weights * draw.uniform(0.1, 0.13)) + draw.randint(300, 600)
    most = draw.choice([1, 2, 3, 4, 4])
    alternatives = []
    count = min(count, 6) if allowed or weights > 75_000 else count
    for variant in range(most):
        q8, slots = variant % 2, variant // 2
        size = weights + round(cache * (1 + 1.3 * slots) * (0.55 if q8 else 1.0))
        bandwidth = max(1, round(speed * (0.67 if slots else 1.0) * (1.08 if q8 else 1.0)))
        for width in (1, 2, 4, 8) if multi and weights > 4000 else (1,):
            part, extra = weights // width, size - weights
            shares = [
                [
                    part + (extra if j == 0 else extra // 8) + 400 * (width > 1),
                    bandwidth // width,
                    1,
                ]
                for j in range(width)
            ]
            if shares[0][0] > 143000 or (width == 8 and shares[0][0] < 3000):
                continue
            alternatives.append(
                {
                    "name": f"q{bits}-{'q8' if q8 else 'f16'}-s{slots}-x{width}",
                    "shares": shares,
                    "node": [host],
                    "gpu_types": allowed,
                    "one_link": 1 < width < 8 and draw.random() < 0.3,
                }
            )
    return _item(name, count, alternatives) if alternatives else _model(draw, name, count, multi)


def _item(name: str, count: int, alternatives: list[Document]) -> Document:
    limits = {"max_per_gpu": None, "max_per_node": None, "max_per_zone": None}
    return {"name": name, "count": count, "alts": alternatives, **limits}


def _spread(draw: random.Random, items: list[Document], zones: bool) -> None:
    for one in items:
        if 2 <= one["count"] <= 9 and draw.random() < 0.8:
            one["max_per_node"] = 1
            if zones and draw.random() < 0.25:
                one["max_per_zone"] = -(-one["count"] // 2)


def _rules(draw: random.Random, items: list[Document]) -> list[Document]:
    names = [one["name"] for one in items if one["count"] == 1]
    draw.shuffle(names)
    return [
        {"type": "anti_affinity", "items": names[:4], "scope": "node"},
        {"type": "anti_affinity", "items": names[4:7], "scope": "zone"},
        {"type": "anti_affinity", "items": names[7:12], "scope": "gpu"},
        {"type": "affinity", "items": names[12:14], "scope": "node"},
    ]


def perfect_cut(
    seed: int, nodes: tuple[int, int], *, objective: str = "gpus", decoys: int = 2
) -> Document:
    """Pieces that use up every GPU of two node types exactly; other cards tempt beside.

    H200 and H100 where GPUs are counted; H200 and A100, the best room for the price, else.

    Args:
        seed: Of the random numbers.
        nodes: Nodes of the two types that are cut up.
        objective: What is minimised.
        decoys: Nodes of the other types.
    """
    draw = random.Random(seed)
    second = CARDS[4] if objective == "gpus" else CARDS[3]
    cut = [(CARDS[5], nodes[0]), (second, nodes[1])]
    pieces: dict[tuple[int, int], int] = {}
    for card, count in cut:
        for _ in range(count * card[2]):
            for piece in _pieces(draw, card[3]):
                pieces[piece] = pieces.get(piece, 0) + 1
    items = [_piece(draw, f"m{i}", count, piece) for i, (piece, count) in enumerate(pieces.items())]
    draw.shuffle(items)
    node_types = [_cut_type(card, count) for card, count in cut]
    others = CARDS[:4] if objective == "gpus" else (CARDS[0], CARDS[2], CARDS[4])
    node_types += [_cut_type(card, decoys) for card in others]
    document = _document(f"cut-{seed}", objective, node_types, items, [])
    unit = {"gpus": 1, "gpu_price": 0}[objective]
    optimum = sum(8 * count * (unit or card[5]) for card, count in cut)
    document["known"] = {"optimum": optimum}
    return document


def _cut_type(card: tuple[str, str, int, list[int], int, int], count: int) -> Document:
    name, gpu_type, per_node, cap, _, price = card
    return {
        "name": name,
        "gpu_type": gpu_type,
        "count": count,
        "gpus": per_node,
        "gpu_cap": cap,
        "node_cap": [NO_LIMIT],
        "gpu_price": price,
        "node_price": price * per_node,
    }


def _pieces(draw: random.Random, cap: list[int]) -> list[tuple[int, int]]:
    """Sizes that sum to the capacity, with bandwidths that stay within theirs."""
    sizes: list[int] = []
    left = cap[0]
    while left > 2 * 800 and len(sizes) < 12:
        size = round(cap[0] * 2 ** draw.uniform(-6.5, 0.0))
        if size > left - 800:
            break
        sizes.append(size)
        left -= size
    sizes.append(left)
    most = cap[1] * 0.8 / len(sizes)
    return [(size, 25 * max(1, round(draw.uniform(0.1, 1.6) * most / 1.6 / 25))) for size in sizes]


def _piece(draw: random.Random, name: str, count: int, piece: tuple[int, int]) -> Document:
    size, bandwidth = piece
    alternatives = [_way("true", [[size, bandwidth, 1]])]
    for d in range(draw.randint(1, 3)):
        worse = round(size * draw.uniform(1.02, 1.6))
        alternatives.append(_way(f"d{d}", [[worse, round(bandwidth * draw.uniform(0.5, 1.1)), 1]]))
    if size > 40_000:
        alternatives.append(_way("split2", [[round(size * 0.53), 0, 1]] * 2))
    draw.shuffle(alternatives)
    return _item(name, count, alternatives)


def _way(name: str, shares: list[list[int]]) -> Document:
    return {"name": name, "shares": shares, "node": [0], "gpu_types": None, "one_link": False}


def triplets(seed: int, items: int) -> Document:
    """Items of which exactly three fill a bin; the optimum is a third of them."""
    draw = random.Random(seed)
    sizes: list[int] = []
    for _ in range(items // 3):
        first = draw.randint(380, 490)
        second = draw.randint(250, (1000 - first) // 2)
        sizes += [first, second, 1000 - first - second]
    document = _bins(f"triplet-{items}-{seed}", sizes, 1000)
    document["known"] = {"optimum": items // 3}
    return document


def uniform(seed: int, items: int) -> Document:
    """Items of 20 to 100 in bins of 150."""
    draw = random.Random(seed)
    return _bins(f"uniform-{items}-{seed}", [draw.randint(20, 100) for _ in range(items)], 150)


def _bins(name: str, sizes: list[int], capacity: int) -> Document:
    counts = {size: sizes.count(size) for size in sorted(set(sizes), reverse=True)}
    items = [
        _item(
            f"s{size}",
            count,
            [{"name": "a", "shares": [[size]], "node": [], "gpu_types": None, "one_link": False}],
        )
        for size, count in counts.items()
    ]
    node_type = {
        "name": "bin",
        "gpu_type": "bin",
        "count": len(sizes),
        "gpus": 1,
        "gpu_cap": [capacity],
        "node_cap": [],
        "gpu_price": 1,
        "node_price": 1,
    }
    document = _document(name, "gpus", [node_type], items, [])
    return {**document, "dims": ["size"], "node_dims": []}


def _document(
    name: str,
    objective: str,
    node_types: list[Document],
    items: list[Document],
    constraints: list[Document],
) -> Document:
    return {
        "schema": "gpupack/1",
        "name": name,
        "dims": ["vram_mib", "bw_gbps", "servers"],
        "node_dims": ["host_ram_mib"],
        "objective": objective,
        "node_types": node_types,
        "items": items,
        "constraints": constraints,
    }
