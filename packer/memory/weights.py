"""Bytes of a model's tensors on every device."""

import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from packer.domain.model import ModelFile, Tensor
from packer.memory.architecture_rules import Output
from packer.memory.card_support import card_holds
from packer.memory.hyperparameters import HyperParameters, read_hyperparameters
from packer.memory.identity_cache import derived_once
from packer.memory.layer_split import HOST
from packer.memory.tensor_override import Override, overridden_device
from packer.memory.tensor_pattern import pattern_finder
from packer.memory.tensor_place import Role, block_of, role_of
from packer.memory.tensor_size import card_bytes, host_bytes

_EMBEDDING = "token_embd.weight"
_OUTPUT = "output.weight"

_MOST_LAYOUTS = 1024


@dataclass(frozen=True)
class PlacedTensor:
    """One tensor that llama.cpp loads.

    Attributes:
        layer: Block it goes with; the output layer is the block count, HOST is always the host.
        is_on_every_device: Whether each device with a trunk layer gets a copy.
        is_second_copy: Whether it is the output's copy of the embedding, which is not made
            when both would be in the same buffer.
    """

    name: str
    layer: int
    on_card: int
    on_host: int
    is_on_every_device: bool = False
    is_second_copy: bool = False


@dataclass(frozen=True)
class WeightTable:
    """Sums of tensors, ready to be cut at any layer [bytes].

    Attributes:
        card_ends, host_ends: Running sums over layers, output layer last, of what a layer takes on
            a card and on the host.
        fixed: Device → bytes that stay there whatever the split.
        copied_on_card, copied_on_host: Tensors of which each device holds a copy.
        second_copy: Output's copy of the embedding, when the output is on a card; on the host one
            copy serves both.
    """

    card_ends: tuple[int, ...]
    host_ends: tuple[int, ...]
    fixed: tuple[tuple[int, int], ...]
    copied_on_card: int
    copied_on_host: int
    second_copy: int


def weight_bytes(
    model: ModelFile,
    layers: Sequence[int],
    overrides: tuple[Override, ...] = (),
    loads_nextn: bool = False,
) -> dict[int, int]:
    """Bytes of weights on every device that holds some. Exact.

    Args:
        model: Header of the file.
        layers: Device of every block and of the output layer.
        overrides: Patterns of tensors that go elsewhere.
        loads_nextn: Whether the nextn blocks are loaded (multi-token prediction).

    Source:
        llama.cpp b11434, src/llama-model-loader.cpp, create_tensor().
    """
    known, key = _known_bytes(model), (tuple(layers), overrides, loads_nextn)
    found = known.get(key)
    if found is None:
        if len(known) >= _MOST_LAYOUTS:
            known.clear()
        table = _tables(model).table(overrides, loads_nextn)
        found = known[key] = _held_bytes(model, layers, table)
    return dict(found)


@derived_once
def _known_bytes(
    _: ModelFile,
) -> dict[tuple[tuple[int, ...], tuple[Override, ...], bool], dict[int, int]]:
    """Bytes of one file's weights for the layouts asked so far."""
    return {}


def _held_bytes(model: ModelFile, layers: Sequence[int], table: WeightTable) -> dict[int, int]:
    """Bytes on every device that holds some, from a table of layers."""
    held = dict(table.fixed)
    first = 0
    for layer in range(1, len(layers) + 1):
        if layer < len(layers) and layers[layer] == layers[first]:
            continue
        device = layers[first]
        ends = table.host_ends if device == HOST else table.card_ends
        held[device] = held.get(device, 0) + ends[layer] - ends[first]
        first = layer
    _add_copies(held, table, layers, read_hyperparameters(model))
    return held


def tensor_devices(
    model: ModelFile,
    sizes: HyperParameters,
    layers: Sequence[int],
    overrides: tuple[Override, ...],
) -> dict[str, int]:
    """Device of every loaded tensor by name; of two copies, the one that is not on the host."""
    patterns = [(pattern_finder(pattern), device) for pattern, device in overrides]
    devices: dict[str, int] = {}
    for tensor in placed_tensors(model, sizes, loads_nextn=False):
        device = overridden_device(tensor.name, patterns)
        if device is None:
            device = HOST if tensor.layer == HOST else layers[tensor.layer]
        devices[tensor.name] = max(device, devices.get(tensor.name, HOST))
    return devices


def _add_copies(
    held: dict[int, int], table: WeightTable, layers: Sequence[int], sizes: HyperParameters
) -> None:
    """Add the tensors that more than one device holds."""
    if table.copied_on_card:
        for device in _devices_with_rope_factors(layers, sizes):
            copied = table.copied_on_host if device == HOST else table.copied_on_card
            held[device] = held.get(device, 0) + copied
    output = layers[-1]
    if table.second_copy and output != HOST:
        held[output] = held.get(output, 0) + table.second_copy


def _devices_with_rope_factors(layers: Sequence[int], sizes: HyperParameters) -> set[int]:
    trunk = range(sizes.trunk_count)
    if sizes.rules.has_rope_factors_on_dense_layers_only:
        return {layers[layer] for layer in trunk if not sizes.window_layers[layer]}
    return {layers[layer] for layer in trunk}


class _Tables:
    """Weight tables of one model, one per set of overrides."""

    def __init__(self, model: ModelFile) -> None:
        self._model = weakref.ref(model)
        self._known: dict[tuple[tuple[Override, ...], bool], WeightTable] = {}

    def table(self, overrides: tuple[Override, ...], loads_nextn: bool) -> WeightTable:
        """The table, computed at first use."""
        key = (overrides, loads_nextn)
        if key not in self._known:
            model = self._model()
            if model is None:  # pragma: no cover - the caller holds the model
                raise ReferenceError("the model is gone")
            sizes = read_hyperparameters(model)
            placed = placed_tensors(model, sizes, loads_nextn)
            self._known[key] = _table(placed, sizes.block_count, overrides)
        return self._known[key]


@derived_once
def _tables(model: ModelFile) -> _Tables:
    return _Tables(model)


def placed_tensors(
    model: ModelFile, sizes: HyperParameters, loads_nextn: bool
) -> tuple[PlacedTensor, ...]:
    """Every tensor that is loaded, with its layer; remembered. Exact."""
    known = _known_placed(model)
    loads_all = loads_nextn or sizes.block_count == sizes.trunk_count
    if loads_all not in known:
        known[loads_all] = _placed_tensors(model, sizes, loads_all)
    return known[loads_all]


@derived_once
def _known_placed(_: ModelFile) -> dict[bool, tuple[PlacedTensor, ...]]:
    """Placed tensors of one file, with its nextn blocks or without."""
    return {}


def _placed_tensors(
    model: ModelFile, sizes: HyperParameters, loads_nextn: bool
) -> tuple[PlacedTensor, ...]:
    placed = []
    for tensor in model.tensors:
        block = block_of(tensor)
        if block is None:
            placed.append(_outside_of_blocks(tensor, sizes))
        elif loads_nextn or block < sizes.trunk_count:
            placed.append(_placed(tensor, sizes, block))
    return (*placed, *_second_copy(model.tensors, sizes))


def _outside_of_blocks(tensor: Tensor, sizes: HyperParameters) -> PlacedTensor:
    role = role_of(tensor, sizes.rules)
    layer = {Role.INPUT: HOST, Role.FIRST_BLOCK: 0}.get(role, sizes.block_count)
    return _placed(tensor, sizes, layer, is_on_every_device=role is Role.EVERY_DEVICE)


def _second_copy(tensors: Iterable[Tensor], sizes: HyperParameters) -> tuple[PlacedTensor, ...]:
    """The embedding once more as output matrix, for models that tie the two."""
    named = {tensor.name: tensor for tensor in tensors if tensor.name in (_EMBEDDING, _OUTPUT)}
    rule = sizes.rules.output
    if rule is Output.NONE or _OUTPUT in named or _EMBEDDING not in named:
        return ()
    is_always = rule is Output.TIED_FIRST
    return (_placed(named[_EMBEDDING], sizes, sizes.block_count, is_second_copy=not is_always),)


def _placed(
    tensor: Tensor,
    sizes: HyperParameters,
    layer: int,
    *,
    is_on_every_device: bool = False,
    is_second_copy: bool = False,
) -> PlacedTensor:
    elements = tensor.element_count
    if layer != HOST and not card_holds(tensor, sizes):
        layer = HOST
    return PlacedTensor(
        name=tensor.name,
        layer=layer,
        on_card=card_bytes(tensor.type, tensor.shape[0], elements),
        on_host=host_bytes(tensor.type, elements),
        is_on_every_device=is_on_every_device,
        is_second_copy=is_second_copy,
    )


def _table(
    placed: Iterable[PlacedTensor], block_count: int, overrides: tuple[Override, ...]
) -> WeightTable:
    """Sum tensors up by layer."""
    patterns = [(pattern_finder(pattern), device) for pattern, device in overrides]
    card, host = [0] * (block_count + 1), [0] * (block_count + 1)
    fixed = {HOST: 0}
    copied = [0, 0]
    second = 0
    for tensor in placed:
        device = overridden_device(tensor.name, patterns)
        if tensor.is_second_copy and (device is not None or tensor.layer == HOST):
            continue  # both copies would be in one buffer, so there is one
        if device is not None or tensor.layer == HOST:
            device = HOST if device is None else device
            size = tensor.on_host if device == HOST else tensor.on_card
            fixed[device] = fixed.get(device, 0) + size
        elif tensor.is_on_every_device:
            copied = [copied[0] + tensor.on_card, copied[1] + tensor.on_host]
        elif tensor.is_second_copy:
            second = tensor.on_card
        else:
            card[tensor.layer] += tensor.on_card
            host[tensor.layer] += tensor.on_host
    return WeightTable(
        card_ends=tuple(accumulate(card, initial=0)),
        host_ends=tuple(accumulate(host, initial=0)),
        fixed=tuple(fixed.items()),
        copied_on_card=copied[0],
        copied_on_host=copied[1],
        second_copy=second,
    )
