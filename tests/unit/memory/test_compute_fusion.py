"""Operations around experts that a card runs as one: what moves, and what is kept alive until when.

Each pattern is drawn as llama.cpp's graphs have it, then spoilt in one place at a time.
"""

from collections.abc import Callable

import pytest

from packer.domain.quantization import ELEMENT_TYPES_BY_NAME, ElementType
from packer.memory.compute_fusion import Extensions, count_uses, lifetime_extensions
from packer.memory.compute_tensor import F16, F32, I32, VIEW_OPERATIONS, GraphTensor, Shape

Q8 = ELEMENT_TYPES_BY_NAME["q8_0"]
Q4 = ELEMENT_TYPES_BY_NAME["q4_K"]
Nodes = dict[str, GraphTensor]


def shaped(*shape: int) -> Shape:
    full = (*shape, 1, 1, 1)
    return full[0], full[1], full[2], full[3]


def node(
    name: str, shape: Shape, *sources: GraphTensor, variant: str = "", kind: ElementType = F32
) -> GraphTensor:
    made = GraphTensor(name, kind, shape, sources, variant)
    if name in VIEW_OPERATIONS:
        made.root = sources[0].holder
    return made


def weight(*shape: int, kind: ElementType = Q8) -> GraphTensor:
    made = GraphTensor("none", kind, shaped(*shape))
    made.home, made.is_weight = 0, True
    return made


def leaf(*shape: int) -> GraphTensor:
    return GraphTensor("none", F32, shaped(*shape))


def found(run: list[GraphTensor]) -> tuple[list[GraphTensor], dict[str, set[int]]]:
    """The final order, and by name of the operation what is kept until it has run."""
    # Somewhere there are experts, or nothing is looked for.
    elsewhere = node("mul_mat_id", shaped(1), weight(1), leaf(1))
    extensions: Extensions = {}
    ordered = lifetime_extensions(run, count_uses([*run, elsewhere]), extensions)
    names = {id(one): f"{number} {one.operation}" for number, one in enumerate(ordered)}
    assert all(len(set(map(id, kept))) == len(kept) for kept in extensions.values())
    return ordered, {names[until]: set(map(id, kept)) for until, kept in extensions.items()}


def ids(*tensors: GraphTensor) -> set[int]:
    return set(map(id, tensors))


def router(
    *, experts: int = 64, gate: str = "soft_max", is_biased: bool = False, divides: bool = True
) -> Nodes:
    """Selection of four experts for each of two tokens, and the operation that follows."""
    full, few = shaped(experts, 2), shaped(1, 4, 2)
    logits = leaf(experts, 2)
    nodes: Nodes = {}
    if gate == "soft_max":
        nodes["gate"] = node("soft_max", full, logits)
    elif gate == "sigmoid":
        nodes["gate"] = node("unary", full, logits, variant="sigmoid")
    else:
        nodes["softplus"] = node("unary", full, logits, variant="softplus")
        nodes["gate"] = node("sqrt", full, nodes["softplus"])
    nodes["probabilities"] = node("reshape", shaped(1, experts, 2), nodes["gate"])
    choice = nodes["gate"]
    if is_biased:
        choice = nodes["biased"] = node("add", full, nodes["gate"], leaf(experts))
    nodes["argsort"] = node("argsort", full, choice, kind=I32)
    nodes["chosen"] = node("view", shaped(4, 2), nodes["argsort"], kind=I32)
    nodes["chosen"].strides = (4, 4 * experts, 8 * experts, 8 * experts)
    nodes["weights"] = node("get_rows", few, nodes["probabilities"], nodes["chosen"])
    if divides:
        nodes["flat"] = node("reshape", shaped(4, 2), nodes["weights"])
        nodes["sum"] = node("sum_rows", shaped(1, 2), nodes["flat"])
        nodes["clamped"] = node("clamp", shaped(1, 2), nodes["sum"])
        nodes["divided"] = node("div", shaped(4, 2), nodes["flat"], nodes["clamped"])
        nodes["last"] = node("reshape", few, nodes["divided"])
    return nodes


def ended(nodes: Nodes, *, scale: bool = False) -> list[GraphTensor]:
    """The selection, then something that reads both of its results."""
    last = list(nodes.values())[-1]
    if scale:
        last = nodes["scale"] = node("scale", last.shape, last)
    nodes["after"] = node("other", last.shape, last, nodes["chosen"])
    return list(nodes.values())


def kept_for_router(nodes: Nodes) -> set[int]:
    inside = [one for name, one in nodes.items() if name != "after"]
    return ids(*inside, *(source for one in inside for source in one.sources))


@pytest.mark.parametrize("gate", ["soft_max", "sigmoid", "softplus"])
@pytest.mark.parametrize("is_biased", [False, True])
@pytest.mark.parametrize("divides", [False, True])
@pytest.mark.parametrize("scale", [False, True])
def test_a_selection_of_experts_lives_until_the_next_operation(
    gate: str, is_biased: bool, divides: bool, scale: bool
) -> None:
    nodes = router(gate=gate, is_biased=is_biased, divides=divides)
    run = ended(nodes, scale=scale)
    ordered, kept = found(run)
    assert ordered == run
    assert kept == {f"{len(run) - 1} other": kept_for_router(nodes)}


def test_a_selection_at_the_end_of_a_split_keeps_nothing() -> None:
    run = list(router().values())
    assert found(run) == (run, {})
    assert found(run[:3])[1] == {}


def test_a_selection_may_come_later_and_twice() -> None:
    first, second = router(), router(gate="sigmoid")
    lead = node("other", shaped(1), leaf(1))
    run = [lead, *ended(first), *ended(second)]
    _, kept = found(run)
    assert kept == {
        f"{len(first)} other": kept_for_router(first),
        f"{len(run) - 1} other": kept_for_router(second),
    }


@pytest.mark.parametrize(
    ("experts", "fits"),
    [(1, True), (8, True), (512, True), (1024, False), (288, True), (576, True), (160, False)],
)
def test_numbers_of_experts_with_a_kernel(experts: int, fits: bool) -> None:
    assert bool(found(ended(router(experts=experts)))[1]) is fits


def _elsewhere(name: str, position: int = 0) -> Callable[[Nodes], None]:
    def change(nodes: Nodes) -> None:
        nodes[name].sources[position] = leaf(*nodes[name].sources[position].shape)

    return change


def _shown(name: str) -> Callable[[Nodes], None]:
    def change(nodes: Nodes) -> None:
        nodes[name].is_output = True

    return change


def _read_twice(name: str) -> Callable[[Nodes], None]:
    def change(nodes: Nodes) -> None:
        nodes["after"].sources.append(nodes[name])

    return change


@pytest.mark.parametrize(
    "spoil",
    [
        _elsewhere("probabilities"),
        _elsewhere("argsort"),
        _elsewhere("chosen"),
        _elsewhere("weights"),
        _elsewhere("weights", 1),
        _shown("gate"),
        _shown("argsort"),
        _read_twice("gate"),
        _read_twice("probabilities"),
        _read_twice("flat"),
    ],
)
def test_a_selection_that_is_no_kernel(spoil: Callable[[Nodes], None]) -> None:
    nodes = router()
    run = ended(nodes)
    spoil(nodes)
    assert found(run)[1] == {}


@pytest.mark.parametrize("name", ["flat", "sum", "clamped", "divided", "last"])
def test_weights_that_are_not_divided_by_their_sum(name: str) -> None:
    """The selection then ends before them, and its results are read by what follows."""
    nodes = router()
    run = ended(nodes)
    _elsewhere(name)(nodes)
    head = ("gate", "probabilities", "argsort", "chosen", "weights")
    inside = [nodes[one] for one in head]
    kept = ids(*inside, *(source for one in inside for source in one.sources))
    assert found(run)[1] == {"5 reshape": kept}


def test_a_divisor_that_is_another() -> None:
    nodes = router()
    run = ended(nodes)
    _elsewhere("divided", 1)(nodes)
    assert list(found(run)[1]) == ["5 reshape"]


def test_results_of_a_selection_may_be_shown() -> None:
    nodes = router()
    run = ended(nodes)
    nodes["chosen"].is_output = nodes["last"].is_output = True
    assert found(run)[1] == {"10 other": kept_for_router(nodes)}


def test_a_biased_choice_must_be_of_its_gate() -> None:
    nodes = router(gate="sigmoid", is_biased=True)
    run = ended(nodes)
    _elsewhere("biased")(nodes)
    assert found(run)[1] == {}
    nodes = router(gate="sigmoid", is_biased=True)
    run = ended(nodes)
    nodes["argsort"].sources[0] = nodes["gate"]
    assert found(run)[1] == {}


def test_a_scale_of_something_else_is_not_taken_along() -> None:
    nodes = router(divides=False)
    scaled = node("scale", shaped(1, 4, 2), leaf(1, 4, 2))
    run = [*nodes.values(), scaled]
    assert found(run)[1] == {"5 scale": kept_for_router(nodes)}


@pytest.mark.parametrize("variant", ["silu", "tanh"])
def test_other_activations_choose_no_experts(variant: str) -> None:
    nodes = router(gate="sigmoid")
    nodes["gate"].variant = variant
    assert found(ended(nodes))[1] == {}


@pytest.mark.parametrize("operation", ["add", "mul_mat", "sqrt"])
def test_choices_without_an_activation_are_no_kernel(operation: str) -> None:
    nodes = router()
    nodes["gate"].operation = operation
    assert found(ended(nodes))[1] == {}


def reduction(experts: int = 4, products: int = 1, *, is_turned: bool = False) -> Nodes:
    """Experts weighted and summed up one after the other, for three tokens."""
    full, factors = shaped(8, experts, 3), shaped(1, experts, 3)
    nodes: Nodes = {}
    operands = [leaf(*full), leaf(*factors)]
    nodes["weighted"] = node("mul", full, *(operands[::-1] if is_turned else operands))
    if products == 2:
        nodes["weighted twice"] = node("mul", full, nodes["weighted"], leaf(*factors))
    weighted = list(nodes.values())[-1]
    for number in range(experts):
        nodes[f"view {number}"] = node("view", shaped(8, 3), weighted)
    total = nodes["view 0"]
    for number in range(1, experts):
        total = nodes[f"sum {number}"] = node("add", shaped(8, 3), total, nodes[f"view {number}"])
    return nodes


def kept_for_reduction(nodes: Nodes) -> set[int]:
    weighted = nodes["weighted"]
    further = nodes["weighted twice"].sources[1:] if "weighted twice" in nodes else []
    return ids(*weighted.sources, *further)


def last_of(nodes: Nodes) -> str:
    run = list(nodes.values())
    return f"{len(run) - 1} {run[-1].operation}"


@pytest.mark.parametrize("experts", [2, 4, 15])
@pytest.mark.parametrize("products", [1, 2])
@pytest.mark.parametrize("is_turned", [False, True])
def test_what_a_sum_of_experts_reads_lives_until_its_end(
    experts: int, products: int, is_turned: bool
) -> None:
    nodes = reduction(experts, products, is_turned=is_turned)
    run = list(nodes.values())
    assert found(run) == (run, {last_of(nodes): kept_for_reduction(nodes)})


@pytest.mark.parametrize("experts", [1, 16])
def test_one_expert_or_too_many_are_summed_up_one_by_one(experts: int) -> None:
    assert found(list(reduction(experts).values()))[1] == {}


def test_a_sum_that_the_split_cuts_off() -> None:
    run = list(reduction().values())
    for length in range(len(run)):
        assert found(run[:length])[1] == {}


def test_views_and_sums_may_take_turns() -> None:
    nodes = reduction()
    names = ["weighted", "view 0", "view 1", "sum 1", "view 2", "sum 2", "view 3", "sum 3"]
    run = [nodes[name] for name in names]
    assert found(run)[1] == {"7 add": kept_for_reduction(nodes)}
    nodes["other"] = node("other", shaped(1), leaf(1))
    second = reduction(2)
    run = [nodes["other"], *run, *second.values()]
    assert found(run)[1] == {
        "8 add": kept_for_reduction(nodes),
        "12 add": kept_for_reduction(second),
    }


@pytest.mark.parametrize("lead", [1, 2, 3])
def test_a_sum_of_experts_may_begin_anywhere(lead: int) -> None:
    for is_turned in (False, True):
        nodes = reduction(4, 2, is_turned=is_turned)
        run = [*(node("other", shaped(1), leaf(1)) for _ in range(lead)), *nodes.values()]
        assert found(run)[1] == {f"{len(run) - 1} add": kept_for_reduction(nodes)}


@pytest.mark.parametrize("width", [256, 1024])
def test_a_shared_expert_of_another_width_stays(width: int) -> None:
    nodes = pair()
    for name in ("shared gate", "shared up"):
        nodes[name].sources[0].shape = shaped(256, width)
    run = list(nodes.values())
    assert found(run) == (run, {})


def _retyped(name: str, position: int) -> Callable[[Nodes], None]:
    def change(nodes: Nodes) -> None:
        nodes[name].sources[position].type = F16

    return change


def _stretched(position: int) -> Callable[[Nodes], None]:
    def change(nodes: Nodes) -> None:
        operand = nodes["weighted"].sources[position]
        row = operand.layout[1]
        operand.strides = (4, 2 * row, 2 * operand.layout[2], 2 * operand.layout[3])

    return change


def _exchanged(nodes: Nodes) -> None:
    nodes["sum 2"].sources = nodes["sum 2"].sources[::-1]


def _renamed(nodes: Nodes) -> None:
    nodes["sum 3"].operation = "mul"


def _narrow(nodes: Nodes) -> None:
    nodes["weighted"].type = F16


@pytest.mark.parametrize(
    "spoil",
    [
        _elsewhere("view 1"),
        _elsewhere("sum 1"),
        _elsewhere("sum 1", 1),
        _elsewhere("sum 3"),
        _elsewhere("sum 3", 1),
        _shown("view 0"),
        _shown("sum 2"),
        _shown("weighted"),
        _retyped("weighted", 0),
        _stretched(0),
        _stretched(1),
        _exchanged,
        _renamed,
        _narrow,
    ],
)
def test_a_sum_that_is_no_kernel(spoil: Callable[[Nodes], None]) -> None:
    nodes = reduction()
    spoil(nodes)
    assert found(list(nodes.values()))[1] == {}


def test_a_sum_may_be_shown() -> None:
    nodes = reduction()
    nodes["sum 3"].is_output = True
    assert found(list(nodes.values()))[1] == {"7 add": kept_for_reduction(nodes)}


def test_a_factor_of_another_shape_is_no_weight() -> None:
    nodes = reduction()
    for shape in ((8, 4, 3), (1, 1, 3), (1, 4, 1)):
        nodes["weighted"].sources[1] = leaf(*shape)
        assert not found(list(nodes.values()))[1], shape


def pair(gap: int = 2) -> Nodes:
    """Routed experts, operations between, and a shared expert that reads the same rows."""
    rows = leaf(256, 3)
    chosen = leaf(4, 3)
    shared_rows = node("reshape", shaped(256, 1, 3), rows)
    wide, narrow = shaped(512, 4, 3), shaped(512, 3)
    nodes: Nodes = {}
    for name in ("gate", "up"):
        nodes[name] = node("mul_mat_id", wide, weight(256, 512, 64), shared_rows, chosen)
    nodes["glu"] = node("glu", wide, nodes["gate"], nodes["up"], variant="swiglu")
    for number in range(gap):
        nodes[f"between {number}"] = node("other", shaped(1), leaf(1))
    for name in ("gate", "up"):
        nodes[f"shared {name}"] = node("mul_mat", narrow, weight(256, 512), rows)
    nodes["shared glu"] = node(
        "glu", narrow, nodes["shared gate"], nodes["shared up"], variant="swiglu"
    )
    return nodes


PAIRED = ["gate", "up", "glu", "shared gate", "shared up", "shared glu"]


@pytest.mark.parametrize("gap", [0, 1, 4])
@pytest.mark.parametrize("lead", [0, 2])
@pytest.mark.parametrize("tail", [0, 2])
def test_a_shared_expert_moves_behind_the_routed_ones(gap: int, lead: int, tail: int) -> None:
    nodes = pair(gap)
    before, after = (
        [node("other", shaped(1), leaf(1)) for _ in range(count)] for count in (lead, tail)
    )
    ordered, kept = found([*before, *nodes.values(), *after])
    between = [one for name, one in nodes.items() if name not in PAIRED]
    assert ordered == [*before, *(nodes[name] for name in PAIRED), *between, *after]
    assert kept == {f"{lead + 5} glu": ids(*nodes["up"].sources[1:3])}


def test_products_may_come_in_any_order() -> None:
    nodes = pair()
    nodes["shared glu"].sources = nodes["shared glu"].sources[::-1]
    nodes["glu"].sources = nodes["glu"].sources[::-1]
    assert [one.operation for one in found(list(nodes.values()))[0][3:5]] == ["mul_mat"] * 2


def test_two_blocks_of_experts_have_a_shared_expert_each() -> None:
    first, second = pair(), pair(1)
    ordered, kept = found([*first.values(), *second.values()])
    assert [ordered.index(first[name]) for name in PAIRED] == [0, 1, 2, 3, 4, 5]
    assert [ordered.index(second[name]) for name in PAIRED] == [8, 9, 10, 11, 12, 13]
    assert list(kept) == ["5 glu", "13 glu"]


def test_the_next_experts_end_the_search() -> None:
    nodes = pair()
    others = [node("mul_mat_id", shaped(1), weight(1), leaf(1)) for _ in range(2)]
    run = [*list(nodes.values())[:4], *others, *list(nodes.values())[4:]]
    assert found(run) == (run, {})
    # One alone does not.
    run.remove(others[0])
    assert found(run)[0] != run


def _of(name: str, **changes: object) -> Callable[[Nodes], None]:
    def change(nodes: Nodes) -> None:
        for key, value in changes.items():
            setattr(nodes[name], key, value)

    return change


def _weight_of(name: str, **changes: object) -> Callable[[Nodes], None]:
    def change(nodes: Nodes) -> None:
        for key, value in changes.items():
            setattr(nodes[name].sources[0], key, value)

    return change


def _rows_of(name: str, **changes: object) -> Callable[[Nodes], None]:
    def change(nodes: Nodes) -> None:
        for key, value in changes.items():
            setattr(nodes[name].sources[1], key, value)

    return change


def _more(name: str) -> Callable[[Nodes], None]:
    def change(nodes: Nodes) -> None:
        nodes[name].sources.append(leaf(1))

    return change


def _plain(nodes: Nodes) -> None:
    for name in ("gate", "up", "shared gate", "shared up"):
        nodes[name].sources[0].type = F16


def _regated(nodes: Nodes) -> None:
    nodes["glu"].variant = "geglu"


def _unknown(nodes: Nodes) -> None:
    nodes["glu"].variant = nodes["shared glu"].variant = "reglu"


@pytest.mark.parametrize(
    "spoil",
    [
        _of("shared up", operation="mul_mat_id"),
        _of("shared glu", operation="mul"),
        _of("up", operation="mul_mat"),
        _of("up", is_output=True),
        _of("shared gate", is_output=True),
        _elsewhere("glu"),
        _elsewhere("glu", 1),
        _elsewhere("shared glu"),
        _elsewhere("shared glu", 1),
        _elsewhere("up", 1),
        _elsewhere("gate", 1),
        _elsewhere("gate", 2),
        _elsewhere("shared up", 1),
        _elsewhere("shared gate", 1),
        _more("up"),
        _more("shared up"),
        _weight_of("up", type=Q4),
        _weight_of("shared gate", type=Q4),
        _weight_of("up", shape=shaped(256, 256, 64)),
        _weight_of("shared gate", shape=shaped(256, 256)),
        _weight_of("shared up", is_weight=False),
        _weight_of("shared gate", is_weight=False),
        _weight_of("up", home=None),
        _rows_of("up", operation="view"),
        _rows_of("up", shape=shaped(256, 3)),
        _plain,
        _regated,
        _unknown,
    ],
)
def test_a_shared_expert_that_stays_where_it_is(spoil: Callable[[Nodes], None]) -> None:
    nodes = pair()
    spoil(nodes)
    run = list(nodes.values())
    assert found(run) == (run, {})


def test_weights_of_other_kinds_or_shapes_are_not_paired() -> None:
    """Both products of the shared expert alike, but unlike those of the routed ones."""
    for changes in ({"type": Q4}, {"shape": shaped(256, 1024)}):
        nodes = pair()
        for name in ("shared gate", "shared up"):
            _weight_of(name, **changes)(nodes)
        run = list(nodes.values())
        assert found(run) == (run, {})


def test_without_experts_nothing_is_looked_for() -> None:
    run = ended(router())
    assert count_uses(run) == {}
    extensions: Extensions = {}
    assert lifetime_extensions(run, {}, extensions) is run
    assert extensions == {}
