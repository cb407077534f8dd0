"""Random pairs of plans as servers that change: both ends fit, the way between may not."""

from hypothesis import strategies as st

from packer.plan.rollout.change import HOST, Change, Occupancy, Place, RunningServers


@st.composite
def changes_of_plans(
    draw: st.DrawFn, most_servers: int = 5, most_cards: int = 3
) -> tuple[RunningServers, tuple[Change, ...]]:
    """Servers of a few workloads on tight cards before and after; seats for claims and spread.

    Some serve other workloads afterwards, or several: a router takes in or gives up a model.
    """
    cards = [Place(f"n{n % 2}", n) for n in range(draw(st.integers(1, most_cards)))]
    hosts = sorted({Place(card.node, HOST) for card in cards})
    number = draw(st.integers(1, most_servers))
    names = [f"s{n}" for n in range(number)]
    workloads = st.frozensets(st.sampled_from(["w0", "w1", "w2"]), min_size=1, max_size=2)
    stays_so = draw(st.booleans())
    serves = {name: frozenset({f"w{draw(st.integers(0, 2))}"}) for name in names}
    has_claims = draw(st.booleans())
    has_spread = draw(st.booleans())

    def side(generation: str) -> dict[str, Occupancy]:
        there = {}
        for name in names:
            if draw(st.integers(0, 9)) == 0:
                continue
            card = draw(st.sampled_from(cards))
            size = draw(st.integers(1, 9))
            answers_for = serves[name] if stays_so else draw(workloads)
            seats = {}
            if has_claims:
                holder = f"{generation}{card.gpu}" if draw(st.booleans()) else f"claim {card}"
                seats[f"card {card}"] = holder
            if has_spread:
                for workload in sorted(answers_for):
                    seats[f"{workload} on {card.node}"] = f"{generation} {name}"
            taken = {card: size, Place(card.node, HOST): draw(st.integers(0, 3))}
            there[name] = Occupancy(taken, answers_for, seats)
        return _compatible(there)

    before, after = side("old"), side("new")
    slack = draw(st.integers(0, 4))
    capacity = {
        place: max(_total(before, place), _total(after, place)) + slack
        for place in (*cards, *hosts)
    }
    changes = tuple(
        Change(
            name,
            before.get(name),
            after.get(name),
            is_available=draw(st.integers(0, 7)) > 0,
            start_seconds=draw(st.integers(1, 60)),
        )
        for name in names
        if name in before or name in after
    )
    minimum = {w: draw(st.integers(0, 2)) for w in ("w0", "w1", "w2")}
    return RunningServers(capacity, (), minimum), changes


def _compatible(there: dict[str, Occupancy]) -> dict[str, Occupancy]:
    """Leave out servers whose seats clash with an earlier one: a plan never has such a pair."""
    kept: dict[str, Occupancy] = {}
    for name, one in there.items():
        if not any(one.clashes_with(other) for other in kept.values()):
            kept[name] = one
    return kept


def _total(there: dict[str, Occupancy], place: Place) -> int:
    return sum(one.bytes.get(place, 0) for one in there.values())
