"""What a step reads on every device: layers cut up by where their tensors and caches are."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.identity_cache import derived_once
from packer.memory.layer_split import HOST
from packer.memory.tensor_override import Override, overridden_device, tensor_overrides
from packer.memory.tensor_pattern import pattern_finder
from packer.memory.tensor_place import block_of
from packer.performance.constants import speed_constants
from packer.performance.model_reads import LayerReads, is_expert, model_reads, weight_kind


@dataclass
class DeviceReads:
    """Sums over the layers of one device.

    Attributes:
        launches: Kernels, in units of one matrix product.
        weights_bytes, costly_bytes: Weights every step reads, plain and weighed by kind [bytes].
        experts_bytes, costly_experts_bytes: The same of all experts [bytes].
        parameters, expert_parameters: Elements that multiply.
        layers: Blocks whose kernels run here.
        expert_layers: Blocks whose experts are here though their kernels run elsewhere.
        cached: Layers whose cache is here.
        state_bytes, scanned_bytes: Recurrent state of one slot; the second by Mamba's scan [bytes].
    """

    launches: float = 0.0
    weights_bytes: int = 0
    costly_bytes: float = 0.0
    experts_bytes: int = 0
    costly_experts_bytes: float = 0.0
    parameters: int = 0
    expert_parameters: int = 0
    layers: int = 0
    expert_layers: int = 0
    cached: list[LayerReads] = field(default_factory=list)
    state_bytes: int = 0
    scanned_bytes: int = 0

    @cached_property
    def cached_kinds(self) -> tuple[tuple[LayerReads, int], ...]:
        """One of the layers whose cache is here for each kind of cache, and how many there are."""
        kinds: dict[tuple[int, int, int, int], list[LayerReads]] = {}
        for layer in self.cached:
            key = (layer.key, layer.value, layer.window, layer.attention_width)
            kinds.setdefault(key, []).append(layer)
        return tuple((alike[0], len(alike)) for alike in kinds.values())

    def add_layer(self, layer: LayerReads) -> None:
        """Count a whole layer in."""
        constants = speed_constants()
        self.launches += constants.launches(layer)
        self.weights_bytes += sum(layer.weights.values())
        self.costly_bytes += constants.costly_bytes(layer.weights)
        self.experts_bytes += sum(layer.experts.values())
        self.costly_experts_bytes += constants.costly_bytes(layer.experts)
        self.parameters += layer.parameters
        self.expert_parameters += layer.expert_parameters
        self.layers += 1

    def add_cache(self, layer: LayerReads) -> None:
        """Count a layer's cache and recurrent state in."""
        if layer.key or layer.value:
            self.cached.append(layer)
        if layer.has_scan:
            self.scanned_bytes += layer.state_bytes
        else:
            self.state_bytes += layer.state_bytes

    def move(
        self, other: "DeviceReads", plain: int, costly: float, elements: int, expert: bool
    ) -> None:
        """Move one tensor's bytes from here to another device."""
        for device, sign in ((self, -1), (other, 1)):
            if expert:
                device.experts_bytes += sign * plain
                device.costly_experts_bytes += sign * costly
                device.expert_parameters += sign * elements
            else:
                device.weights_bytes += sign * plain
                device.costly_bytes += sign * costly
                device.parameters += sign * elements


def placed_reads(
    model: ModelFile, layers: Sequence[int], options: ServerOptions, card_count: int
) -> dict[int, DeviceReads]:
    """Reads of every device, the host included where it has any; remembered per model.

    Args:
        model: Header of the served model.
        layers: Device of every block and of the output layer, as ``MemoryEstimate.layers``.
        options: For overridden tensors and the place of the cache.
        card_count: Cards the process sees.
    """
    overrides = tensor_overrides(options, card_count)
    return _placements(model).placed(tuple(layers), overrides, options.kv_offload)


_Key = tuple[tuple[int, ...], tuple[Override, ...], bool]


class _Placements:
    """Reads of one model for the placements asked so far."""

    def __init__(self, model: ModelFile) -> None:
        self._model = weakref.ref(model)
        self._known: dict[_Key, dict[int, DeviceReads]] = {}

    def placed(
        self, layers: tuple[int, ...], overrides: tuple[Override, ...], has_cache_on_cards: bool
    ) -> dict[int, DeviceReads]:
        """Reads by device, computed at first use."""
        key = (layers, overrides, has_cache_on_cards)
        if key not in self._known:
            model = self._model()
            if model is None:  # pragma: no cover - the caller holds the model
                raise ReferenceError("the model is gone")
            self._known[key] = _placed(model, layers, overrides, has_cache_on_cards)
        return self._known[key]


@derived_once
def _placements(model: ModelFile) -> _Placements:
    return _Placements(model)


def _placed(
    model: ModelFile,
    layers: tuple[int, ...],
    overrides: tuple[Override, ...],
    has_cache_on_cards: bool,
) -> dict[int, DeviceReads]:
    reads = model_reads(model)
    trunk = len(reads.layers) - 1
    places = (*layers[:trunk], layers[-1])
    devices: dict[int, DeviceReads] = {}
    for layer, place in zip(reads.layers, places, strict=True):
        devices.setdefault(place, DeviceReads()).add_layer(layer)
        cache_place = place if has_cache_on_cards else HOST
        devices.setdefault(cache_place, DeviceReads()).add_cache(layer)
    if overrides:
        _apply(model, places, overrides, devices)
    return {place: device for place, device in devices.items() if _has_work(device)}


def _apply(
    model: ModelFile,
    places: tuple[int, ...],
    overrides: tuple[Override, ...],
    devices: dict[int, DeviceReads],
) -> None:
    """Move the tensors that overrides send elsewhere."""
    constants = speed_constants()
    trunk = read_hyperparameters(model).trunk_count
    patterns = [(pattern_finder(pattern), device) for pattern, device in overrides]
    moved_experts = set()
    for tensor in model.tensors:
        block = block_of(tensor)
        target = overridden_device(tensor.name, patterns)
        if target is None or block is None or block >= trunk or target == places[block]:
            continue
        plain = tensor.data_bytes
        costly = constants.costly_bytes({weight_kind(tensor): plain})
        other = devices.setdefault(target, DeviceReads())
        devices[places[block]].move(other, plain, costly, tensor.element_count, is_expert(tensor))
        if target == HOST:
            moved_experts.add(block)
    if moved_experts:
        devices[HOST].expert_layers = len(moved_experts)


def _has_work(device: DeviceReads) -> bool:
    return bool(device.layers or device.weights_bytes or device.experts_bytes or device.cached)
