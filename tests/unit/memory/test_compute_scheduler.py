"""Where single operations run, what is copied for them, and what a backend reserves."""

from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from packer.memory.compute_scheduler import Graph, Scheduler
from packer.memory.compute_tensor import F32, GraphTensor, Shape

CARD, HOST = 0, 1
Q8 = ELEMENT_TYPES_BY_NAME["q8_0"]


def node(
    operation: str, *sources: GraphTensor, shape: Shape = (64, 4, 1, 1), root: bool = False
) -> GraphTensor:
    made = GraphTensor(operation, F32, shape, sources)
    if root:
        made.root = sources[0].holder
    return made


def weight(home: int, shape: Shape = (64, 64, 1, 1)) -> GraphTensor:
    made = GraphTensor("none", F32, shape)
    made.home, made.is_weight = home, True
    return made


def given() -> GraphTensor:
    made = GraphTensor("none", F32, (64, 4, 1, 1))
    made.is_input = True
    return made


def scheduler(*, cards: int = 1, is_pipelined: bool = False, offloads: bool = True) -> Scheduler:
    return Scheduler(cards, is_pipelined=is_pipelined, offloads_operations=offloads)


def test_only_cards_fill_rows_up() -> None:
    row = GraphTensor("none", Q8, (96, 1, 1, 1))
    one = scheduler(cards=2)
    assert [one.size_of(row, backend) for backend in range(3)] == [544, 544, 102]
    assert one.alignments() == (128, 128, 32)


def test_an_operation_runs_where_its_weight_lies_and_what_follows_stays() -> None:
    source = given()
    first = node("mul_mat", weight(CARD), source)
    second = node("unary", first)
    third = node("mul_mat", weight(HOST), second)
    scheduler().assign(Graph([first, second, third], [source]))
    assert source.backend == HOST
    assert [one.backend for one in (first, second, third)] == [CARD, CARD, HOST]


def test_many_rows_send_a_host_weight_to_a_card() -> None:
    def backend(rows: int, *, offloads: bool) -> int:
        found = node("mul_mat", weight(HOST), given(), shape=(64, rows, 1, 1))
        scheduler(offloads=offloads).assign(Graph([found], [found.sources[1]]))
        return found.backend

    assert [backend(rows, offloads=True) for rows in (31, 32, 33)] == [HOST, CARD, CARD]
    assert [backend(rows, offloads=False) for rows in (31, 32, 33)] == [HOST] * 3


def test_a_view_is_where_it_looks_at() -> None:
    source = given()
    first = node("mul_mat", weight(CARD), source)
    view = node("view", first, root=True)
    last = node("mul_mat", weight(HOST), view)
    scheduler().assign(Graph([first, view, last], [source]))
    assert [one.backend for one in (first, view, last)] == [CARD, CARD, HOST]


def test_a_result_written_over_another_is_where_it_was_computed() -> None:
    source = given()
    first = node("mul_mat", weight(0), source)
    over = node("add", first, weight(1), root=True)
    last = node("mul_mat", weight(0), over)
    found = scheduler(cards=2).schedule(Graph([first, over, last], [source]))
    assert [one.backend for one in (first, over, last)] == [0, 1, 0]
    assert (last.sources[1].operation, last.sources[1].backend) == ("none", 0)
    assert found.split_count == 3


def test_what_reads_nothing_of_a_card_is_where_most_of_it_lies() -> None:
    left, right = given(), given()
    alone = node("add", left, right)
    scheduler().assign(Graph([alone], [left, right]))
    assert alone.backend == HOST


def test_foreign_operands_are_copied_once_in_front_of_their_split() -> None:
    source = given()
    first = node("mul_mat", weight(CARD), source)
    again = node("mul_mat", weight(CARD), source)
    last = node("mul_mat", weight(HOST), again)
    found = scheduler().schedule(Graph([first, again, last], [source]))
    assert found.split_count == 2
    copy = first.sources[1]
    assert copy is again.sources[1]
    assert (copy.backend, copy.is_input, copy.is_output) == (CARD, False, False)
    assert last.sources[1].backend == HOST
    assert last.sources[1] is not again
    order = [one.operation for one in found.nodes]
    assert order == ["none", "none", "mul_mat", "mul_mat", "none", "none", "mul_mat"]
    assert found.nodes[0].sources == [source]
    assert found.nodes[0].root is source
    assert found.nodes[1] is copy
    assert found.leaves == [source]


def test_a_pipeline_keeps_four_of_every_input_and_copy() -> None:
    source = given()
    first = node("mul_mat", weight(0), source)
    second = node("mul_mat", weight(1), first)
    piped = scheduler(cards=2, is_pipelined=True)
    found = piped.schedule(Graph([first, second], [source]))
    assert found.split_count == 2
    copies = [leaf for leaf in found.leaves if leaf.is_input and leaf.is_output]
    # Four of the input on the host, of its copy on the first card, of the result on the second;
    # the input is among the graph's own leaves once more.
    assert len(found.leaves) == 3 * 4 + 1
    assert [leaf.backend for leaf in copies] == [2] * 4 + [0] * 4 + [1] * 4 + [2]
    assert copies[0] is copies[-1] is source
