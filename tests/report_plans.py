"""Plans that are hard on a report: very large ones, and one with everything unusual in it."""

from dataclasses import replace
from decimal import Decimal

from packer.domain.basis import Basis
from packer.domain.node import Sharing
from packer.domain.workload import Objective
from packer.plan.plan import Alternative, Baselines, DeviceBytes, Plan, Status
from packer.units import GIB, MIB
from tests.sample_plans import (
    A100_BYTES,
    L40S_BYTES,
    device_bytes,
    node,
    placement,
    plan_of,
    summary,
)

HOSTILE = "<script>alert(1)</script>\"&'|`*"


def large_plan(card_count: int) -> Plan:
    """Nodes of eight A100 with three processes on every card, 24 workloads in many replicas."""
    sizes = ((30.0, 9.5), (18.0, 4.0), (5.0, 2.0))
    placements = []
    for index in range(card_count * len(sizes)):
        card, slot = divmod(index, len(sizes))
        kind = card % 8 * len(sizes) + slot
        placements.append(
            placement(
                f"model-{kind:02d}",
                card // 8,
                f"a100-{card // 8}",
                (card % 8,),
                (device_bytes(*sizes[slot]),),
                file=f"Some-Instruct-Model-{kind:02d}-Q4_K_M.gguf",
            )
        )
    a100 = ("A100 SXM 80GB", "NVIDIA-A100-SXM4-80GB", A100_BYTES, 8, placements)
    nodes = tuple(
        node(f"a100-{number}", "a100", *a100, zone=f"eu-{'abc'[number % 3]}", price="19.60")
        for number in range(-(-card_count // 8))
    )
    names = sorted({one.workload for one in placements})
    workloads = tuple(
        summary(
            name,
            f"catalogue:some-{name}",
            "llama",
            sum(one.workload == name for one in placements),
        )
        for name in names
    )
    baselines = Baselines(
        card_count * 4, Decimal(900), card_count * 3, Decimal(700), card_count, None, 1, None
    )
    return plan_of("large", workloads, tuple(placements), nodes, baselines=baselines)


def _device(high: int, **parts: int) -> DeviceBytes:
    """Bytes of a process of which only weights are known to be exact."""
    given = {
        f"{part}_bytes": parts.get(part, 0)
        for part in (
            *("weights", "context", "compute"),
            *("draft_weights", "draft_context", "draft_compute"),
            *("projector", "process"),
        )
    }
    total = sum(given.values())
    basis = {"weights": Basis.EXACT, "draft_weights": Basis.EXACT, "process": Basis.CALIBRATED}
    return DeviceBytes(total_bytes=total, low_bytes=total, high_bytes=high, basis=basis, **given)


def awkward_plan() -> Plan:
    """Not proved, priced by objective, hostile names, a draft model, cards that others hold.

    Replicas of one workload differ in their file; one is partly on the host; one node is free of
    charge in unknown currency units, several small processes share a card.
    """
    tiny = tuple(
        placement(
            f"t{index}",
            0,
            "n-0",
            (1,),
            (_device(80 * MIB, weights=60 * MIB),),
            file=f"t{index}.gguf",
        )
        for index in range(6)
    )
    draft = placement(
        HOSTILE,
        0,
        "n-0",
        (0,),
        (
            _device(
                30 * GIB,
                weights=20 * GIB,
                context=4 * GIB,
                draft_weights=GIB,
                draft_context=GIB,
                draft_compute=64 * MIB,
                process=400 * MIB,
            ),
        ),
        file="big.gguf",
        layers=(33,),
        extra=("--override-tensor", "it's a 'quoted' regex=CPU"),
    )
    draft = replace(
        draft,
        variant=replace(
            draft.variant,
            draft_model="catalogue:small",
            draft_mount="pvc://models/draft.gguf",
            cache_type_v="q8_0",
        ),
    )
    partly = placement(
        HOSTILE,
        1,
        "n-1",
        (0, 1),
        (
            _device(12 * GIB, weights=10 * GIB, process=400 * MIB),
            _device(2 * GIB, process=400 * MIB, compute=GIB),
        ),
        file="big.gguf",
        quantization="Q8_0",
        layers=(20, 0),
    )
    partly = replace(partly, variant=replace(partly.variant, layer_count=33, mount=""))
    placements = (draft, partly, *tiny)
    nodes = tuple(
        node(
            f"n-{number}",
            "pool",
            "L40S",
            "NVIDIA-L40S",
            L40S_BYTES,
            2,
            placements,
            price=price,
            sharing=Sharing.DRA_MEMORY,
        )
        for number, price in enumerate(("3.333333", "1", "9"))
    )
    first = nodes[0]
    taken = replace(first.cards[0], taken_bytes=6 * GIB)
    nodes = (replace(first, cards=(taken, first.cards[1])), *nodes[1:])
    asked = summary(
        HOSTILE,
        f"./{HOSTILE}.gguf",
        "llama",
        2,
        why_not_better=HOSTILE,
        refused=(Alternative(HOSTILE, f"needs {HOSTILE}"),),
    )
    workloads = (asked, *(summary(one.workload, "./t.gguf", "llama") for one in tiny))
    plan = plan_of(
        "awkward",
        workloads,
        placements,
        nodes,
        baselines=Baselines(
            *(None, None, 7, Decimal(8), 5, None, 3, None),
            notes=(f"FP16 of {HOSTILE} fits nowhere",),
        ),
        notes=(HOSTILE,),
        keep_apart=((HOSTILE, "t0"),),
    )
    return replace(
        plan,
        status=Status.FEASIBLE,
        objective=Objective.PRICE,
        objective_value=Decimal("4.333333"),
        bound=Decimal("3.9"),
        gap=0.1,
        currency="EUR",
    )
