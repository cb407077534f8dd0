"""Which blocks of a model must be built: repetitions reserve nothing that the first ones do not."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from packer.domain.model import ModelFile
from packer.memory.compute_graphs.quirks import by_layer, stacked_number
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.identity_cache import derived_once

_LONGEST_PERIOD = 8
_FEWEST = 2
_SPARSE_BLOCKS_OF_GEMMA3N = 10
_PLAIN_TYPES = frozenset({"f32", "f16", "bf16"})
_UNUSUAL_TYPES = frozenset({"tq1_0", "tq2_0", "q8_1", "q8_K", "nvfp4", "iq4_nl", "mxfp4", "f16"})
# Outside of blocks only these are but looked up and multiplied with; BERT adds its token types.
_ENDS = frozenset({"token_embd.weight", "output.weight"})
_EVERY_FOURTH_DIFFERS = frozenset({"afmoe", "llama4", "smollm3"})
_EVERY_FOURTH_FROM_FIRST_DIFFERS = frozenset({"smallthinker"})

Home = Callable[[str, int], int]


@dataclass(frozen=True)
class BlockKinds:
    """Numbers that are equal for blocks that look alike.

    Attributes:
        shapes: By names and shapes of tensors, and by what the architecture does in the block.
        types: The same, with the tensors' types.
        names: Names of each block's tensors.
        shape_print, type_print: Equal for files whose graphs are equal where weights are on cards,
            and anywhere.
    """

    shapes: tuple[int, ...]
    types: tuple[int, ...]
    names: tuple[tuple[str, ...], ...]
    shape_print: int
    type_print: int


@derived_once
def block_kinds(model: ModelFile) -> BlockKinds:
    """Kinds of the blocks of a file."""
    sizes = read_hyperparameters(model)
    rows: list[list[tuple[str, tuple[int, ...], str]]] = [[] for _ in range(sizes.block_count)]
    names: list[list[str]] = [[] for _ in range(sizes.block_count)]
    for tensor in model.tensors:
        parts = tensor.name.split(".", 2)
        if parts[0] == "blk" and len(parts) == 3 and parts[1].isdigit():
            block = int(parts[1])
            if block < sizes.block_count:
                rows[block].append((parts[2], tensor.shape, tensor.type.name))
                names[block].append(tensor.name)
    shapes = [
        (
            _behaviour(model, sizes, block),
            _fuses(row),
            tuple((stem, shape, _visible_type(stem, shape, kind)) for stem, shape, kind in row),
        )
        for block, row in enumerate(rows)
    ]
    types = [(_behaviour(model, sizes, block), tuple(row)) for block, row in enumerate(rows)]
    outside = tuple(
        (tensor.name, tensor.shape, "" if tensor.name in _ENDS else tensor.type.name)
        for tensor in model.tensors
        if not tensor.name.startswith("blk.")
    )
    metadata = tuple(
        (key, value)
        for key, value in sorted(model.metadata.items())
        if key.startswith(f"{model.architecture}.")
    )
    common = (sizes, outside, metadata)
    every_type = tuple((tensor.name, tensor.type.name) for tensor in model.tensors)
    return BlockKinds(
        shapes=_numbered(shapes),
        types=_numbered(types),
        names=tuple(map(tuple, names)),
        shape_print=hash((common, tuple(shapes), _unusual_types(model))),
        type_print=hash((common, tuple(shapes), every_type)),
    )


@dataclass(frozen=True)
class BlockChoice:
    """Blocks that are built, and how to see that the left out ones would change nothing.

    Attributes:
        blocks: Numbers of the blocks.
        repeats: Positions in ``blocks`` for each stretch that was cut: the end of its last
            repetition, and of those before it from which a whole number of circles leads over
            what was left out. Where the allocator's picture is the same at the last and at one of
            the others, it goes on in a circle, and comes out as if nothing had been left out.
        marks: What each of ``blocks`` is and where it lies; equal for equal graphs of one model.
    """

    blocks: tuple[int, ...]
    repeats: tuple[tuple[int, ...], ...]
    marks: tuple[object, ...]


def choose_blocks(
    model: ModelFile,
    layers: Sequence[int],
    host: int,
    home_of: Home,
    *,
    has_overrides: bool,
    repetitions: int | None,
) -> BlockChoice:
    """Blocks of the trunk, periodic stretches cut to a few repetitions.

    Args:
        model: Header of the model.
        layers: Backend of every block and of the output layer.
        host: Backend of the host.
        home_of: Backend of a weight.
        has_overrides: Whether weights may lie elsewhere than their block.
        repetitions: Repetitions that stay; None keeps every block.
    """
    kinds = block_kinds(model)
    count = read_hyperparameters(model).trunk_count
    numbers = (
        kinds.types if types_count(layers, host, has_overrides=has_overrides) else kinds.shapes
    )
    marks: list[object] = [(numbers[block], layers[block]) for block in range(count)]
    if has_overrides:
        marks = [
            (mark, tuple(home_of(name, block) for name in kinds.names[block]))
            for block, mark in enumerate(marks)
        ]
    marks[-1] = ("last", marks[-1])
    return _cut(marks, count if repetitions is None else repetitions)


def types_count(layers: Sequence[int], host: int, *, has_overrides: bool) -> bool:
    """Whether types of weights decide buffers: those on the host are copied to a card."""
    return has_overrides or (host in layers and host > 0)


def _cut(marks: Sequence[object], repetitions: int) -> BlockChoice:
    """Positions that stay when every periodic stretch is cut."""
    kept: list[int] = []
    repeats: list[tuple[int, ...]] = []
    start = 0
    while start < len(marks):
        period, found = _best_period(marks, start, repetitions)
        stay = _staying(found, repetitions)
        kept += range(start, start + period * stay)
        if found > stay:
            last = len(kept) - 1
            circles = [back for back in range(1, stay) if (found - stay) % back == 0]
            repeats.append((last, *(last - back * period for back in circles)))
        start += period * found
    return BlockChoice(tuple(kept), tuple(repeats), tuple(marks[block] for block in kept))


def _staying(found: int, repetitions: int) -> int:
    """Repetitions that stay: one more where an even number is left out then.

    Many a model's blocks swap two places in memory, so that only every other one looks alike. Two
    repetitions are there for the others: the second can only be compared with the first.
    """
    is_odd = (found - repetitions) % 2 and repetitions > _FEWEST
    return min(found, repetitions + is_odd)


def _best_period(marks: Sequence[object], start: int, kept: int) -> tuple[int, int]:
    """Period and repetitions of the stretch from ``start`` that saves most."""
    best, saved = (1, 1), 0
    for period in range(1, _LONGEST_PERIOD + 1):
        pattern = marks[start : start + period]
        repetitions = 1
        while marks[start + period * repetitions :][:period] == pattern:
            repetitions += 1
        saving = period * (repetitions - kept)
        if saving > saved:
            best, saved = (period, repetitions), saving
    return best


def _behaviour(model: ModelFile, sizes: HyperParameters, block: int) -> tuple[Hashable, ...]:
    """What an architecture does differently in a block although its tensors look the same."""
    name = sizes.architecture
    return (
        sizes.window_layers[block],
        sizes.recurrent_layers[block],
        block >= sizes.cached_layers,
        name == "gemma3n" and block < _SPARSE_BLOCKS_OF_GEMMA3N,
        name in _EVERY_FOURTH_DIFFERS and (block + 1) % 4 == 0,
        name in _EVERY_FOURTH_FROM_FIRST_DIFFERS and block % 4 == 0,
        stacked_number(model, block),
        by_layer(model, "attention.rope_pattern", block),
        by_layer(model, "swiglu_clamp_exp", block) > 0,
    )


def _fuses(row: Sequence[tuple[str, tuple[int, ...], str]]) -> bool:
    """Whether routed and shared experts have one type, so that CUDA runs them together."""
    types = {stem: kind for stem, _, kind in row}
    routed, shared = types.get("ffn_up_exps.weight"), types.get("ffn_up_shexp.weight")
    return routed is not None and routed == shared and routed not in _PLAIN_TYPES


def _visible_type(stem: str, shape: tuple[int, ...], kind: str) -> str:
    """Type of a tensor, where it can be that of a result: matrices are only multiplied with."""
    is_matrix = len(shape) > 1 and stem.endswith(".weight") and "conv" not in stem
    return "" if is_matrix else kind


def _unusual_types(model: ModelFile) -> tuple[tuple[str, str], ...]:
    """Tensors of types that decide where their operations run."""
    return tuple(
        (tensor.name, tensor.type.name)
        for tensor in model.tensors
        if tensor.type.name in _UNUSUAL_TYPES
    )


def _numbered(keys: Sequence[object]) -> tuple[int, ...]:
    """The same number for equal keys."""
    known: dict[object, int] = {}
    return tuple(known.setdefault(key, len(known)) for key in keys)
