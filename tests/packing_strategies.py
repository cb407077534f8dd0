"""Random tiny packing instances, small enough to be solved by trying everything."""

from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]


@st.composite
def tiny_instances(draw: st.DrawFn) -> Document:
    """An instance of at most four replicas on a few GPUs, with every feature now and then."""
    dims, node_dims = draw(st.integers(1, 2)), draw(st.integers(0, 1))
    node_types = [
        draw(node_type(position, dims, node_dims)) for position in range(draw(st.integers(1, 2)))
    ]
    items: list[Document] = []
    left = 4
    for position in range(draw(st.integers(1, 3))):
        count = draw(st.integers(1, max(1, min(2, left))))
        if left - count < 0:
            break
        left -= count
        items.append(draw(item(position, count, dims, node_dims)))
    names = [one["name"] for one in items]
    constraints = []
    if len(names) > 1 and draw(st.booleans()):
        constraints.append(
            {
                "type": draw(st.sampled_from(["anti_affinity", "affinity"])),
                "items": draw(st.permutations(names))[:2],
                "scope": draw(st.sampled_from(["gpu", "node", "zone"])),
            }
        )
    return {
        "schema": "gpupack/1",
        "name": "tiny",
        "dims": [f"d{d}" for d in range(dims)],
        "node_dims": [f"e{e}" for e in range(node_dims)],
        "objective": draw(st.sampled_from(["gpus", "gpu_price", "node_price"])),
        "node_types": node_types,
        "items": items,
        "constraints": constraints,
    }


@st.composite
def node_type(draw: st.DrawFn, position: int, dims: int, node_dims: int) -> Document:
    """A node type of one or two nodes with up to three GPUs."""
    count, gpus = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    document: Document = {
        "name": f"t{position}",
        "gpu_type": draw(st.sampled_from(["A", "B"])),
        "count": count,
        "gpus": gpus,
        "gpu_cap": [draw(st.integers(3, 10)) for _ in range(dims)],
        "node_cap": [draw(st.integers(0, 10)) for _ in range(node_dims)],
        "gpu_price": draw(st.integers(1, 5)),
        "node_price": draw(st.integers(1, 9)),
    }
    if count == 2 and draw(st.booleans()):
        document["zones"] = {"z0": 1, "z1": 1}
    if gpus == 3 and draw(st.booleans()):
        document["links"] = [[0, 1], [2]]
    if count == 2 and draw(st.integers(0, 4)) == 0:
        document["unavailable"] = [0]
    if draw(st.integers(0, 4)) == 0:
        document["gpu_caps"] = [
            [draw(st.integers(0, 10)) for _ in range(dims)] for _ in range(gpus)
        ]
    return document


@st.composite
def item(draw: st.DrawFn, position: int, count: int, dims: int, node_dims: int) -> Document:
    """An item of one or two alternatives."""
    alternatives = []
    for a in range(draw(st.integers(1, 2))):
        width = draw(st.sampled_from([1, 1, 1, 2, 3]))
        alternatives.append(
            {
                "name": f"a{a}",
                "shares": [[draw(st.integers(0, 6)) for _ in range(dims)] for _ in range(width)],
                "node": [draw(st.integers(0, 4)) for _ in range(node_dims)],
                "gpu_types": draw(st.sampled_from([None, None, None, ["A"], ["B"]])),
                "one_link": draw(st.booleans()),
            }
        )
    limit = st.sampled_from([None, None, None, 1])
    return {
        "name": f"i{position}",
        "count": count,
        "alts": alternatives,
        "max_per_gpu": draw(limit),
        "max_per_node": draw(limit),
        "max_per_zone": draw(limit),
    }
