"""The judge's own search: every rule of the format, just possible and just not."""

from typing import Any

import pytest

from packer.solver.certificate_rules import Rules, needed, within
from packer.solver.certificate_search import is_impossible
from tests.tiny_packing import Document, alternative, instance, item, node_type


def possible(document: Document, kept: Any = None) -> bool:
    return not is_impossible(document, below=None, requirements=kept)


def problem(*items: Document, constraints: Any = (), **node_changes: Any) -> Document:
    return instance([node_type(**node_changes)], list(items), constraints=list(constraints))


def least(document: Document, most: int = 60) -> int:
    """The optimum, by asking below every value."""
    return next(
        bound
        for bound in range(most, -1, -1)
        if is_impossible(document, below=bound, requirements=None)
    )


def test_the_optimum_in_cards_prices_and_nodes() -> None:
    types = [node_type("a", count=2), node_type("b", gpu_price=2, node_price=9)]
    document = instance(types, [item("x", 4, alternative([6]))])
    assert least(document) == 4
    assert least(document | {"objective": "gpu_price"}) == 2 * 2 + 2 * 3
    assert least(document | {"objective": "node_price"}) == 2 * 7
    document["items"][0]["count"] = 1
    assert least(document | {"objective": "gpu_price"}) == 2
    assert least(problem()) == 0


@pytest.mark.parametrize(("count", "fits"), [(4, True), (5, False)])
def test_the_room_on_cards(count: int, fits: bool) -> None:
    assert possible(problem(item("x", count, alternative([5])))) is fits
    assert possible(problem(item("x", count, alternative([5], [5])), count=2)) is fits


def test_every_dimension_counts() -> None:
    two = {"dims": ["memory", "slots"]}
    nodes = node_type(gpus=1, gpu_cap=[10, 4])
    for shares, fits in (([5, 2], True), ([5, 3], False), ([6, 2], False)):
        document = instance([nodes], [item("x", 2, alternative(shares))])
        assert possible(document | two) is fits


@pytest.mark.parametrize(("need", "fits"), [(50, True), (51, False), (101, False)])
def test_the_room_on_a_node(need: int, fits: bool) -> None:
    assert possible(problem(item("x", 2, alternative([1], node=[need])))) is fits


def test_nodes_that_are_gone() -> None:
    assert possible(problem(item("x", 3, alternative([6])), count=2))
    assert not possible(problem(item("x", 3, alternative([6])), count=2, unavailable=[1]))


def test_shares_of_one_replica_lie_on_distinct_cards() -> None:
    """Two replicas of three shares need three cards, however little each takes."""
    three = item("x", 2, alternative([1], [1], [1]))
    assert not possible(problem(three))
    assert possible(problem(three, gpus=3))
    assert least(problem(three, gpus=4)) == 3
    assert least(problem(item("x", 1, alternative([1], [2])))) == 2


def test_a_replica_makes_no_room_for_others() -> None:
    """Three cards hold three sixes, whatever the three beside them does."""
    three, sixes = item("x", 1, alternative([3])), item("y", 3, alternative([6]))
    assert possible(problem(three, sixes, gpus=3))
    sixes["count"] = 4
    assert not possible(problem(three, sixes, gpus=3))


def test_shares_that_take_nothing_still_take_a_card() -> None:
    assert least(problem(item("x", 2, alternative([0])))) == 1
    assert least(problem(item("x", 1, alternative([0], [0])))) == 2


def test_unequal_cards() -> None:
    nodes = {"gpu_cap": [12], "gpu_caps": [[12], [3]]}
    assert possible(problem(item("x", 1, alternative([3], [12])), **nodes))
    assert not possible(problem(item("x", 1, alternative([4], [4])), **nodes))
    assert possible(problem(item("x", 2, alternative([6])), **nodes))
    assert not possible(problem(item("x", 3, alternative([6])), **nodes))


@pytest.mark.parametrize("caps", [[[12, 1], [1, 12]], [[1, 12], [12, 1]]])
@pytest.mark.parametrize("share", [[12, 1], [1, 12]])
def test_either_of_two_unequal_cards_may_be_used_alone(caps: Any, share: list[int]) -> None:
    nodes = node_type(gpu_cap=[12, 12], gpu_caps=caps)
    document = instance([nodes], [item("x", 1, alternative(share))], dims=["memory", "slots"])
    assert least(document) == 1


def test_types_of_cards() -> None:
    picky = item("x", 2, alternative([6], gpu_types=["B"]))
    types = [node_type("a"), node_type("b", gpus=1)]
    assert not possible(instance(types, [picky]))
    types[1]["gpus"] = 2
    assert possible(instance(types, [picky]))
    types[1]["gpus"] = 1
    assert possible(instance(types, [picky]), ["count:x"])
    assert not possible(instance(types, [picky]), ["count:x", "types:x"])


@pytest.mark.parametrize(
    ("links", "fits"), [([[0, 1], [2, 3]], True), ([[0], [1, 2, 3]], False), ([], True)]
)
def test_cards_within_one_link(links: Any, fits: bool) -> None:
    joined = item("x", 2, alternative([6], [6], one_link=True))
    assert possible(problem(joined, gpus=4, links=links)) is fits
    joined["alts"][0]["one_link"] = False
    assert possible(problem(joined, gpus=4, links=links))


def test_one_card_is_within_any_link() -> None:
    single = item("x", 4, alternative([6], one_link=True))
    assert possible(problem(single, gpus=4, links=[[0, 1]]))


def test_cards_of_overlapping_links() -> None:
    joined = item(
        "x",
        1,
        alternative([6], [6], one_link=True),
    )
    other = item("y", 1, alternative([6]))
    document = problem(other, joined, gpus=3, links=[[1, 0], [1, 2]])
    assert possible(document)
    assert least(document) == 3
    for links in ([[0, 1], [2, 1]], [[1, 0], [1, 2]], [[0, 1], [1, 2]]):
        assert least(problem(joined, gpus=3, links=links)) == 2


@pytest.mark.parametrize(
    ("scope", "most", "fits"),
    [
        ("gpu", 1, True),
        ("node", 2, True),
        ("node", 1, False),
        ("zone", 4, True),
        ("zone", 3, True),
        ("zone", 1, False),
    ],
)
def test_most_per_unit(scope: str, most: int, fits: bool) -> None:
    """Six replicas on three nodes of two cards in two zones."""
    spread = item("x", 6 if scope != "zone" else 4, alternative([1]), **{f"max_per_{scope}": most})
    document = problem(spread, count=3, zones={"north": 2, "south": 1})
    assert possible(document) is fits
    spread["count"] = 7
    assert possible(document) is (scope == "zone" and most == 4)
    assert possible(document, ["count:x"])
    assert possible(document, ["count:x", f"antiaff:x:{scope}"]) is possible(document)


@pytest.mark.parametrize("scope", ["gpu", "node", "zone"])
def test_neighbours_that_must_not_meet(scope: str) -> None:
    pair = [item("x", 1, alternative([1])), item("y", 1, alternative([1]))]
    rule = {"type": "anti_affinity", "items": ["x", "y"], "scope": scope}
    here = {"gpus": 1} if scope == "gpu" else {}
    there: dict[str, Document] = {
        "gpu": {},
        "node": {"count": 2},
        "zone": {"count": 2, "zones": {"n": 1, "s": 1}},
    }
    assert not possible(problem(*pair, constraints=[rule], **here))
    assert possible(problem(*pair, constraints=[rule], **there[scope]))
    assert possible(problem(*pair, constraints=[rule], **here), ["count:x", "count:y"])
    kept = ["count:x", "count:y", "constraint:0"]
    assert not possible(problem(*pair, constraints=[rule], **here), kept)


@pytest.mark.parametrize("scope", ["gpu", "node", "zone"])
def test_neighbours_that_must_meet(scope: str) -> None:
    """The first goes only where the second is; the second needs all of its card's memory."""
    pair = [item("x", 1, alternative([1])), item("y", 1, alternative([10]))]
    rule = {"type": "affinity", "items": ["x", "y"], "scope": scope}
    document = problem(*pair, constraints=[rule])
    assert possible(document) is (scope != "gpu")
    pair[0]["alts"][0]["gpu_types"], pair[1]["alts"][0]["gpu_types"] = ["A"], ["B"]
    types = [node_type("a"), node_type("b")]
    apart = instance(types, pair, constraints=[rule])
    assert possible(apart) is (scope == "zone")
    pair[1]["count"] = 0
    assert not possible(apart)


def test_a_unit_that_the_second_cannot_reach_is_not_the_firsts() -> None:
    pair = [item("x", 1, alternative([1])), item("y", 1, alternative([1], gpu_types=["B"]))]
    rule = {"type": "affinity", "items": ["x", "y"], "scope": "node"}
    types = [node_type("a"), node_type("b")]
    assert possible(instance(types, pair, constraints=[rule]))
    pair[0]["alts"][0]["gpu_types"] = ["A"]
    assert not possible(instance(types, pair, constraints=[rule]))


def test_a_partner_may_span_more_cards_than_it_needs() -> None:
    """The wider way of the second item is what the first can follow to another card."""
    follower = item("x", 2, alternative([9]))
    partner = item("y", 1, alternative([1]), alternative([1], [1]))
    rule = {"type": "affinity", "items": ["x", "y"], "scope": "gpu"}
    assert possible(problem(follower, partner, constraints=[rule]))
    del partner["alts"][1]
    assert not possible(problem(follower, partner, constraints=[rule]))


def test_an_item_that_need_not_be_placed_may_still_help() -> None:
    pair = [item("x", 1, alternative([1])), item("y", 1, alternative([1]))]
    rule = {"type": "affinity", "items": ["x", "y"], "scope": "node"}
    document = problem(*pair, constraints=[rule])
    assert possible(document, ["count:x", "constraint:0"])
    pair[1]["alts"][0]["node"] = [101]
    assert not possible(document, ["count:x", "constraint:0"])


def test_requirements_that_are_left_out_do_not_bind() -> None:
    document = problem(item("x", 5, alternative([5])), item("y", 1, alternative([1])))
    assert possible(document, ["count:y"])
    assert not possible(document, ["count:x"])
    assert possible(document, [])


def test_rules_read_what_is_kept() -> None:
    x = item("x", 1, alternative([1], gpu_types=["A"]), max_per_node=2)
    document = problem(x, item("z", 0, alternative([1])))
    everything, nothing = Rules(document, None), Rules(document, [])
    assert [one["name"] for one in everything.items] == ["x"]
    assert nothing.items == []
    assert (everything.limit(x, "node"), everything.limit(x, "gpu")) == (2, None)
    assert nothing.limit(x, "node") is None
    assert Rules(document, ["antiaff:x:node"]).limit(x, "node") == 2
    assert everything.types(x, x["alts"][0]) == ["A"]
    assert everything.types(x, alternative([1], gpu_types=[])) is None
    assert nothing.types(x, x["alts"][0]) is None


@pytest.mark.parametrize(
    ("other", "is_needed"),
    [
        (alternative([5]), False),
        (alternative([6]), False),
        (alternative([4]), True),
        (alternative([5], node=[0]), True),
        (alternative([5], node=[2]), False),
        (alternative([5], [5]), False),
        (alternative([4], [4]), True),
        (alternative([6], gpu_types=["A"]), False),
        (alternative([6], one_link=True), False),
    ],
)
def test_a_way_that_another_stands_in_for_is_left_out(other: Document, is_needed: bool) -> None:
    ways = [alternative([5], name="small"), other | {"name": "other"}]
    assert ("other" in {one["name"] for one in needed(ways)}) is is_needed


@pytest.mark.parametrize(
    ("small", "large", "kept"),
    [
        ({"gpu_types": ["A"]}, {}, 2),
        ({"gpu_types": ["A"]}, {"gpu_types": ["A", "B"]}, 2),
        ({"gpu_types": ["A", "B"]}, {"gpu_types": ["A"]}, 1),
        ({"gpu_types": ["A"]}, {"gpu_types": ["B"]}, 2),
        ({"one_link": True}, {}, 2),
        ({"one_link": True}, {"one_link": True}, 1),
        ({}, {"one_link": True}, 1),
    ],
)
def test_who_stands_in_for_whom(small: Document, large: Document, kept: int) -> None:
    ways = [alternative([2], [1], **small), alternative([2], [2], **large)]
    assert len(needed(ways)) == kept
    assert needed(ways)[0] == ways[0]


def test_the_order_of_shares_does_not_matter_to_who_stands_in() -> None:
    assert len(needed([alternative([1], [4]), alternative([5], [1])])) == 1
    assert len(needed([alternative([3], [3]), alternative([5], [1])])) == 2
    assert len(needed([alternative([1], [1]), alternative([9])])) == 2


def test_one_card_within_a_link_stands_in_for_one_anywhere() -> None:
    assert len(needed([alternative([5], one_link=True), alternative([6])])) == 1


def test_a_vector_within_another() -> None:
    assert within([1, 2], [1, 2])
    assert not within([1, 3], [1, 2])
    assert not within([2, 2], [1, 2])
