"""Best fit over freed blocks: what is reused, what is not, and what that reserves."""

from packer.memory.compute_allocator import GraphAllocator
from packer.memory.compute_tensor import F32, GraphTensor, tensor_bytes


def tensor(operation: str, elements: int, *sources: GraphTensor) -> GraphTensor:
    made = GraphTensor(operation, F32, (elements, 1, 1, 1), sources)
    made.backend = 0
    return made


def given(elements: int) -> GraphTensor:
    made = tensor("none", elements)
    made.is_input = True
    return made


def peak(*nodes: GraphTensor, leaves: tuple[GraphTensor, ...] = ()) -> int:
    allocator = GraphAllocator((128,), lambda found, _: tensor_bytes(found))
    return allocator.run(leaves, nodes)[0]


def test_every_block_starts_at_a_multiple_of_the_alignment() -> None:
    source = given(1)
    assert peak(tensor("mul_mat", 1, source), leaves=(source,)) == 2 * 128


def test_a_result_takes_over_an_operand_that_nobody_else_reads() -> None:
    source = given(64)
    first = tensor("mul_mat", 64, source)
    assert peak(first, tensor("scale", 64, first), leaves=(source,)) == 2 * 256


def test_a_product_never_takes_over_its_operand() -> None:
    source = given(64)
    first = tensor("mul_mat", 64, source)
    assert peak(first, tensor("mul_mat", 64, first), leaves=(source,)) == 2 * 256
    kept = given(64)
    other = tensor("mul_mat", 64, kept)
    both = (other, tensor("mul_mat", 64, other), tensor("mul_mat", 64, kept))
    assert peak(*both, leaves=(kept,)) == 3 * 256


def test_an_operand_that_is_read_again_stays() -> None:
    source = given(64)
    first = tensor("mul_mat", 64, source)
    scaled = tensor("scale", 64, first)
    assert peak(first, scaled, tensor("add", 64, scaled, first), leaves=(source,)) == 2 * 256


def test_a_result_that_leaves_the_graph_is_never_reused() -> None:
    source = given(64)
    first = tensor("mul_mat", 64, source)
    first.is_output = True
    last = tensor("mul_mat", 64, tensor("scale", 64, first))
    assert peak(first, last.sources[0], last, leaves=(source,)) == 3 * 256


def test_the_smallest_hole_that_fits_is_taken() -> None:
    allocator = GraphAllocator((128,), lambda found, _: tensor_bytes(found))
    large, small, end = given(96), given(32), given(32)
    between = given(32)
    nodes = [
        tensor("mul_mat", 32, large),
        tensor("mul_mat", 32, small),
    ]
    allocator.run((large, between, small, end), nodes)
    # The first result goes behind everything, the second into the larger input's hole.
    assert [node.offset for node in nodes] == [768, 0]


def test_a_view_keeps_what_it_shows() -> None:
    source = given(64)
    first = tensor("mul_mat", 64, source)
    view = GraphTensor("view", F32, (64, 1, 1, 1), (first,))
    view.root = first
    other, last = tensor("mul_mat", 64, source), tensor("mul_mat", 64, view)
    peak(first, view, other, last, leaves=(source,))
    assert (first.offset, other.offset, last.offset) == (256, 512, 0)


def test_scratch_behind_a_result_is_freed_when_its_memory_is_taken_over() -> None:
    def size(found: GraphTensor, _: int) -> int:
        return tensor_bytes(found) * (4 if found.operation == "flash_attn" else 1)

    source = given(64)
    attended = tensor("flash_attn", 64, source)
    scaled = tensor("scale", 64, attended)
    last = tensor("mul_mat", 64, scaled)
    allocator = GraphAllocator((128,), size)
    allocator.run((source,), (attended, scaled, last))
    assert (attended.offset, scaled.offset, last.offset) == (256, 256, 0)


def test_equal_decisions_at_two_sizes_mean_equal_choices() -> None:
    def decisions(elements: int) -> tuple[int, ...]:
        source = given(elements)
        first = tensor("mul_mat", elements, source)
        allocator = GraphAllocator((128,), lambda found, _: tensor_bytes(found))
        allocator.run((source,), (first, tensor("mul_mat", 32, first)))
        return allocator.decisions

    assert decisions(64) == decisions(4096) != decisions(1)
