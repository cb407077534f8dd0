"""What the figures leave out and what nothing enforces, said in every report."""

from collections.abc import Iterator
from dataclasses import dataclass

from packer.domain.node import Sharing
from packer.plan.cost import Bill
from packer.plan.plan import Plan, Status
from packer.report.wording import counted, listed


@dataclass(frozen=True)
class Caveat:
    """One thing a reader must know before trusting a figure."""

    topic: str
    text: str


_ENFORCEMENT: dict[Sharing, str] = {
    Sharing.DRA: (
        "Pods that share a card through one ResourceClaim are not limited in GPU memory: the "
        "driver lets each allocate what is free. The budget holds because every sizing flag is "
        "explicit and every figure is planned at its upper band."
    ),
    Sharing.DRA_MEMORY: (
        "The scheduler counts the memory that claims request, but no limit is enforced while a "
        "server runs: a process may still allocate more than its claim."
    ),
    Sharing.WHOLE: (
        "One pod owns the card and runs several servers in it: nothing limits the GPU memory of "
        "one server against another, and they restart together."
    ),
    Sharing.HAMI: (
        "HAMi limits GPU memory per pod in user space, by intercepting CUDA calls; it is no "
        "barrier between tenants who do not trust each other."
    ),
    Sharing.MIG: "MIG limits GPU memory per slice in hardware.",
    Sharing.AUTO: (
        "How cards are shared is decided when manifests are rendered; only MIG limits GPU memory "
        "in hardware."
    ),
}

_NOT_MODELLED = (
    Caveat(
        "Speed is not planned",
        "No figure here promises tokens per second. Contention is not modelled: servers on one "
        "card share its memory bandwidth and compute, and when they are busy together, each is "
        "slower. Download and loading times are not estimated either.",
    ),
    Caveat(
        "Memory outside llama.cpp's buffers",
        "CUDA contexts, cuBLAS workspaces and pools that grow while serving are counted as "
        "process overhead, from measurements and not from a formula. Fragmentation and driver "
        "updates are not modelled; headroom is kept for them.",
    ),
)


def caveats(plan: Plan, bill: Bill) -> tuple[Caveat, ...]:
    """Everything to be said about one plan."""
    return (
        _proof(plan),
        *_enforcement(plan),
        *_NOT_MODELLED,
        *_money(plan, bill),
    )


def _proof(plan: Plan) -> Caveat:
    scope = (
        "The bound covers the choices that were on the table: the listed quantizations and cache "
        "types, the cards of this inventory, and splits by whole layers within one node."
    )
    if plan.status is Status.OPTIMAL:
        return Caveat("What is proved", f"No plan does better than this one. {scope}")
    return Caveat(
        "What is not proved", f"The search stopped before its bound met the plan. {scope}"
    )


def _enforcement(plan: Plan) -> Iterator[Caveat]:
    shared = {node.sharing for node in plan.nodes if node.is_used}
    for sharing in Sharing:
        if sharing in shared:
            yield Caveat(f"Memory limits ({sharing.value})", _ENFORCEMENT[sharing])


def _money(plan: Plan, bill: Bill) -> Iterator[Caveat]:
    unused = [node for node in plan.nodes if not node.is_used]
    if bill.unpriced_nodes:
        names = listed([*bill.unpriced_nodes[:5], *_more(len(bill.unpriced_nodes) - 5)])
        yield Caveat("Price unknown", f"No total can be given: {names} without a price.")
    elif bill.per_hour is None:
        yield Caveat("Price unknown", "No total can be given: prices are in several currencies.")
    else:
        yield Caveat(
            "How the bill is divided",
            f"A month is {bill.hours_per_month} hours. A node's price is divided equally over its "
            "cards and a card's price by bytes of memory; no figure weighs how busy a workload is. "
            "Power, storage, network and people are not in the price.",
        )
    if unused:
        cards = counted(sum(len(node.cards) for node in unused), "card")
        yield Caveat(
            "Nodes without a replica",
            f"Not in the price, because they hold nothing: {counted(len(unused), 'node')} with "
            f"{cards}.",
        )


def _more(count: int) -> list[str]:
    return [counted(count, "other node")] if count > 0 else []
