"""Best fit over freed blocks: what is reused, what is not, and what that reserves."""

import pytest

from packer.memory.compute_allocator import GIVE, LOOK, TAKE, TRIM, Replay, replay
from packer.memory.compute_lifetimes import SizeOf, lifetimes
from packer.memory.compute_tensor import F32, GraphTensor, tensor_bytes


def tensor(operation: str, elements: int, *sources: GraphTensor) -> GraphTensor:
    made = GraphTensor(operation, F32, (elements, 1, 1, 1), sources)
    made.backend = 0
    return made


def given(elements: int) -> GraphTensor:
    made = tensor("none", elements)
    made.is_input = True
    return made


def size(found: GraphTensor, _: int) -> int:
    return tensor_bytes(found)


def allocated(
    leaves: tuple[GraphTensor, ...], nodes: list[GraphTensor], size_of: SizeOf = size
) -> Replay:
    found = lifetimes((128,), size_of, leaves, nodes)
    sizes = [-(-int(bytes_) // step) * step for bytes_, step in found.sizes]
    return replay(found.scripts[0], sizes)


def peak(*nodes: GraphTensor, leaves: tuple[GraphTensor, ...] = ()) -> int:
    return max(allocated(leaves, list(nodes)).tops)


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
    large, small, end = given(96), given(32), given(32)
    between = given(32)
    nodes = [
        tensor("mul_mat", 32, large),
        tensor("mul_mat", 32, small),
    ]
    addresses = allocated((large, between, small, end), nodes).addresses
    # The first result goes behind everything, the second into the larger input's hole.
    assert [addresses[node.block] for node in nodes] == [768, 0]


def test_a_view_keeps_what_it_shows() -> None:
    source = given(64)
    first = tensor("mul_mat", 64, source)
    view = GraphTensor("view", F32, (64, 1, 1, 1), (first,))
    view.root = first
    other, last = tensor("mul_mat", 64, source), tensor("mul_mat", 64, view)
    addresses = allocated((source,), [first, view, other, last]).addresses
    assert [addresses[node.block] for node in (first, other, last)] == [256, 512, 0]


def test_scratch_behind_a_result_is_freed_when_its_memory_is_taken_over() -> None:
    def with_scratch(found: GraphTensor, _: int) -> int:
        return tensor_bytes(found) * (4 if found.operation == "flash_attn" else 1)

    source = given(64)
    attended = tensor("flash_attn", 64, source)
    scaled = tensor("scale", 64, attended)
    last = tensor("mul_mat", 64, scaled)
    addresses = allocated((source,), [attended, scaled, last], with_scratch).addresses
    assert [addresses[node.block] for node in (attended, scaled, last)] == [256, 256, 0]


def test_the_last_of_equal_holes_is_taken_and_neighbours_join() -> None:
    takes = [(TAKE, block, 0, 0) for block in range(5)]
    holes = [(GIVE, 0, 0, 0), (GIVE, 2, 0, 0)]
    again = replay([*takes, *holes, (TAKE, 5, 0, 0)], (128, 256))
    assert again.addresses[5] == 256
    joined = [*takes, *holes, (GIVE, 1, 0, 0), (TAKE, 5, 1, 0)]
    assert replay(joined, (128, 256)).addresses[5] == 0
    assert max(again.tops) == 5 * 128


def test_what_is_trimmed_off_is_free_to_its_last_byte() -> None:
    script = [(TAKE, 0, 0, 0), (TAKE, 1, 1, 0), (TRIM, 0, 0, 1), (TAKE, 2, 2, 0), (TAKE, 3, 1, 0)]
    found = replay(script, (1024, 256, 768))
    assert found.addresses == (0, 1024, 256, 1280)
    assert found.tops == (1024, 1280, 1536)


def test_nothing_is_freed_where_nothing_is_trimmed_off() -> None:
    for had, kept in ((4096, 4096), (4096, 8192)):
        # Equal numbers, but not the same objects, as sizes are that were rounded up one by one.
        sizes = [int(str(had)), int(str(kept))]
        script = [(TAKE, 0, 0, 0), (TAKE, 1, 0, 0), (TRIM, 0, 0, 1), (LOOK, 0, 0, 0)]
        ((_, starts, _),) = replay(script, sizes).pictures
        assert starts == (8192,)


@pytest.mark.parametrize("first", [16, 64])
def test_scratch_is_freed_whichever_size_was_met_first(first: int) -> None:
    """Sizes are numbered as they are met; what is trimmed does not depend on their numbers."""

    def with_scratch(found: GraphTensor, _: int) -> int:
        return tensor_bytes(found) * (4 if found.operation == "flash_attn" else 1)

    source = given(first)
    attended = tensor("flash_attn", 64, source)
    scaled = tensor("scale", 64, attended)
    beside = tensor("mul_mat", 128, scaled)
    addresses = allocated((source,), [attended, scaled, beside], with_scratch).addresses
    start = addresses[attended.block]
    assert addresses[beside.block] == start + 256


def test_pictures_of_what_is_free() -> None:
    takes = [(TAKE, block, 0, 0) for block in range(4)]
    given_back = [(GIVE, 1, 0, 0), (LOOK, 0, 0, 0)]
    again = [(TAKE, 4, 1, 0), (LOOK, 4, 0, 0), (TAKE, 5, 1, 0), (LOOK, -1, 0, 0)]
    pictures = replay([*takes, *given_back, *again], (256, 128)).pictures
    places, starts, holes = zip(*pictures, strict=True)
    assert (places[0], places[1]) == (0, 256)
    # A hole that is used up is gone.
    assert starts == ((256, 1024), (384, 1024), (1024,))
    assert [free[:-1] for free in holes] == [(256,), (128,), ()]
