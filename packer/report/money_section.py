"""What the page says of money beyond the bill: pictures, other keys, the price of tokens."""

from collections.abc import Iterator
from decimal import Decimal

from packer.plan.attribution import Attribution, Key, MoneyBand
from packer.plan.cost import CostKind
from packer.report.document import Report
from packer.report.svg_stacked import bill_chart, legend, node_chart
from packer.report.wording import amount

KEY_NAMES: dict[Key, str] = {
    Key.MEMORY: "By memory",
    Key.LOAD: "By load",
    Key.BOTH: "By both",
}


def money_values(facts: Report) -> dict[str, object]:
    """Values for the template."""
    return {
        "bill_picture": bill_chart(facts.bill),
        "node_picture": node_chart(facts.node_bills, facts.bill),
        "cost_legend": tuple(legend(facts.bill)),
        "key_heads": tuple((KEY_NAMES[one.key], one.meaning) for one in facts.attributions),
        "key_rows": tuple(_key_rows(facts.attributions)),
        "token_rows": tuple(_token_rows(facts)),
    }


def _key_rows(shares: tuple[Attribution, ...]) -> Iterator[tuple[str, tuple[Decimal, ...]]]:
    """Each workload with its amount under every key; nothing where the bill is unknown."""
    columns = [
        {line.name: line.per_month for line in one.lines if line.kind is CostKind.WORKLOAD}
        for one in shares
    ]
    for name in columns[0]:
        yield name, tuple(column[name] for column in columns)


def _token_rows(facts: Report) -> Iterator[tuple[str, str, str, str, str]]:
    """Workloads whose speed has a basis: what a million tokens cost, alone and with neighbours."""
    for one in facts.attributions[0].tokens:
        if one.per_million_out is not None:
            yield (
                one.workload,
                band(one.per_million_out),
                band(one.per_million_in),
                band(one.shared_per_million_out),
                f"{one.basis.value if one.basis else ''}, {one.slots} slots at {one.depth} tokens",
            )


def band(money: MoneyBand | None) -> str:
    """An amount with its band: ``0.42 (0.35–0.51)``."""
    if money is None:
        return "–"
    low, high = (amount(value, 2) for value in (money.low, money.high))
    return f"{amount(money.value, 2)} ({low}–{high})"
