"""Random small fleets and inventories, few enough replicas and cards to try every placement."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import strategies as st

from packer.domain.node import Inventory, NodePool, Price, Sharing
from packer.domain.workload import Draft, Fleet, Headroom, Objective, Spread, Workload
from packer.units import GIB, MIB
from tests.small_fleets import fleet, gpu, inventory, pool, variant, workload

# Model, quantizations worth choosing from, whether it embeds, and a draft of its family.
_MODELS = (
    ("qwen3-0.6b", ("F16", "Q8_0", "Q4_K_M"), False, ""),
    ("qwen3-1.7b", ("Q8_0", "Q4_K_M"), False, "qwen3-0.6b"),
    ("llama-3.2-1b", ("Q8_0", "Q4_K_M"), False, ""),
    ("gemma-3-1b", ("F16", "Q4_K_M"), False, ""),
    ("qwen2.5-0.5b", ("Q8_0",), False, ""),
    ("qwen3-embedding-0.6b", ("Q8_0",), True, ""),
    ("bge-m3", ("F16", "Q8_0"), True, ""),
    ("granite-4.0-h-tiny", ("Q4_K_M",), False, ""),
    ("gpt-oss-20b", ("MXFP4",), False, ""),
)
_CARDS = (2200, 3500, 5000, 8000, 12000, 16000, 24000)


@st.composite
def workloads(draw: st.DrawFn, name: str, replicas: int) -> Workload:
    """One workload with a few acceptable variants."""
    model, known, embedding, drafter = draw(st.sampled_from(_MODELS))
    first = draw(st.integers(0, len(known) - 1))
    cache_types = draw(st.sampled_from([("f16",), ("f16", "q8_0"), ("q8_0",), ("q4_0", "f16")]))
    draft = None
    if drafter and draw(st.booleans()):
        cache = draw(st.sampled_from(["f16", "q8_0"]))
        draft = Draft(variant(drafter, "Q8_0"), depth=draw(st.integers(1, 8)), cache_type=cache)
    return workload(
        name,
        model,
        *known[first:],
        context_per_slot=draw(st.sampled_from([500, 2048, 8000])),
        slots=draw(st.integers(1, 3)),
        kv_unified=draw(st.booleans()),
        replicas=replicas,
        cache_types=cache_types,
        flash_attention=draw(st.sampled_from(["on", "auto"])),
        spread=draw(st.sampled_from([*Spread, Spread.NONE])) if replicas > 1 else Spread.NONE,
        max_gpus=draw(st.sampled_from([None, None, None, 1, 2])),
        refused_gpus=draw(st.sampled_from([(), (), (), (), (), ("small 8000",)])),
        embedding=embedding,
        draft=draft,
        prompt_cache_bytes=draw(st.sampled_from([0, GIB])),
    )


@st.composite
def node_pools(draw: st.DrawFn, name: str, cards: int) -> NodePool:
    """One pool of at most so many cards."""
    gpus = draw(st.integers(1, min(3, cards)))
    nodes = draw(st.integers(1, cards // gpus))
    product = gpu(draw(st.sampled_from(_CARDS)))
    one = pool(
        name,
        product,
        gpus,
        nodes,
        host_memory_bytes=draw(st.sampled_from([3, 5, 256, 256, 256])) * GIB,
    )
    names = [one.node_name(index) for index in range(nodes)]
    if draw(st.integers(0, 3)) == 0:
        held = draw(st.integers(0, product.allocatable_bytes))
        node, card = draw(st.sampled_from(names)), draw(st.integers(0, gpus - 1))
        one = replace(one, taken={node: {card: held}})
    if nodes > 1 and draw(st.integers(0, 3)) == 0:
        one = replace(one, unavailable=(draw(st.sampled_from(names)),))
    if draw(st.booleans()):
        one = replace(one, zones={draw(st.sampled_from(["east", "west"])): 1, "north": nodes - 1})
    if gpus == 3 and draw(st.booleans()):
        one = replace(one, link_groups=((0, 1), (2,)))
    return replace(
        one,
        is_rentable=draw(st.booleans()),
        sharing=draw(st.sampled_from([Sharing.DRA, Sharing.DRA, Sharing.DRA, Sharing.WHOLE])),
        price=Price(Decimal(draw(st.integers(1, 900))) / 100),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[Fleet, Inventory]:
    """A fleet of at most three replicas and an inventory of at most three cards."""
    counts = draw(st.sampled_from([(1,), (2,), (3,), (1, 1), (1, 2), (2, 1), (1, 1, 1)]))
    asked = [draw(workloads(f"w{index}", count)) for index, count in enumerate(counts)]
    names = tuple(one.name for one in asked)
    rule = draw(st.sampled_from(["", "", "", "", "apart", "together"])) if len(names) > 1 else ""
    cards = draw(st.sampled_from([(1,), (2,), (3,), (3,), (2, 1), (1, 2), (1, 1)]))
    there = [draw(node_pools(f"p{index}", count)) for index, count in enumerate(cards)]
    pair = draw(st.permutations(names))[:2]
    return (
        fleet(
            *asked,
            objective=draw(st.sampled_from(Objective)),
            headroom=draw(st.sampled_from([Headroom(0, 0), Headroom(100 * MIB, 3)])),
            keep_apart=(tuple(pair),) if rule == "apart" else (),
            keep_together=(tuple(pair),) if rule == "together" else (),
        ),
        inventory(*there),
    )
