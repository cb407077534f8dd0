"""What each paid node's price is for. Exact: the lines of a node add up to its price."""

from dataclasses import dataclass, replace
from decimal import Decimal

from packer.plan.cost import CostLine, cost_lines, monthly
from packer.plan.plan import Plan


@dataclass(frozen=True)
class NodeBill:
    """One node in use with a price; lines that are nothing are left out."""

    node: str
    pool: str
    product: str
    per_hour: Decimal
    per_month: Decimal
    lines: tuple[CostLine, ...]


def node_bills(plan: Plan) -> tuple[NodeBill, ...]:
    """Bills of the nodes in use, in plan order; none unless every price is known."""
    used = [node for node in plan.nodes if node.is_used]
    if plan.price_per_hour is None or any(node.price_per_hour is None for node in used):
        return ()
    bills = []
    for node in used:
        price = node.price_per_hour or Decimal(0)
        placements = tuple(one for one in plan.placements if one.node == node.name)
        alone = replace(plan, nodes=(node,), placements=placements)
        lines = tuple(line for line in cost_lines(alone, price) if line.per_month or line.per_hour)
        month = monthly(price) or Decimal(0)
        bills.append(NodeBill(node.name, node.pool, node.product, price, month, lines))
    return tuple(bills)
