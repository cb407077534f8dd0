"""Fit the speed model's constants to rows: a handful of numbers, pooled over cards.

Effects of generations and cards are held to one with a prior (partial pooling), so that a card
nobody measured takes its generation's constants, and a generation nobody measured everyone's.
Robust least squares of log seconds; a card's rows together weigh at most as much as twelve.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed_rows import SpeedRow, model_of
from packer.memory.resolution import cache_type
from packer.performance.constants import CardConstants
from packer.performance.decode import cache_seconds, launch_seconds, weight_seconds
from packer.performance.depth import cache_bytes_read
from packer.performance.figure import SpeedBasis
from packer.performance.model_reads import Launch, WeightKind, model_reads
from packer.performance.processor import processor_of

Array = NDArray[np.float64]
_MOST_ROWS_OF_A_CARD = 12
_SPREAD = 0.06
_STEPS = 14
_BUILT_ON = {"Blackwell Ultra": "Blackwell"}

# Logarithm of the prior's middle, and its spread.
_GLOBAL = {
    "launch_cycles": (np.log(10500.0), 0.5),
    "fixed_seconds": (np.log(5e-5), 0.7),
    "server_seconds": (np.log(1e-4), 0.7),
    "efficiency": (np.log(0.92), 0.03),
    "weights_per_cycle": (np.log(13.0), 0.3),
    "legacy_unpack": (np.log(0.75), 0.3),
    "cache_efficiency": (np.log(0.77), 0.3),
    "plain_cache_efficiency": (np.log(0.35), 0.4),
    "legacy_launch": (np.log(1.2), 0.2),
    "launch:norm": (np.log(0.7), 0.3),
    "launch:bias": (np.log(0.2), 0.5),
    "launch:attention": (np.log(3.0), 0.3),
    "launch:delta": (np.log(7.0), 0.3),
    "launch:convolution": (np.log(2.0), 0.3),
    "launch:scan": (np.log(6.0), 0.3),
    "launch:router": (np.log(3.5), 0.3),
    "vendor:AMD:launch": (np.log(1.6), 0.4),
    "vendor:AMD:efficiency": (0.0, 0.05),
    "memory:gddr-ecc:efficiency": (np.log(0.9), 0.04),
    "memory:unified:efficiency": (np.log(0.9), 0.06),
    **{f"weight:{kind.value}": (0.0, 0.05) for kind in WeightKind},
}
_POOLED = {
    "launch": (0.12, 0.2),
    "efficiency": (0.04, 0.05),
    "cache": (0.15, 0.15),
    "unpack": (0.15, 0.05),
}
"""Spread of a generation's and of a card's effect on each constant."""


@dataclass
class Parameters:
    """Names, priors and values, all logarithms."""

    names: list[str] = field(default_factory=list)
    middles: list[float] = field(default_factory=list)
    spreads: list[float] = field(default_factory=list)

    def add(self, name: str, middle: float, spread: float) -> None:
        """One more parameter, unless it is known."""
        if name not in self.names:
            self.names.append(name)
            self.middles.append(middle)
            self.spreads.append(spread)


@dataclass
class Features:
    """Rows as arrays, computed once.

    Attributes:
        effects: Constant → rows × names matrix of the effects on it.
    """

    launches: Array
    weights: Array
    elements: Array
    cache: Array
    seconds: Array
    bandwidth: Array
    clock: Array
    cycles: Array
    is_cuda: NDArray[np.bool_]
    is_fused: NDArray[np.bool_]
    is_legacy: Array
    is_server: Array
    effects: dict[str, Array]

    @classmethod
    def of(cls, rows: Sequence[SpeedRow], names: Sequence[str]) -> "Features":
        """Features of single-slot decode rows that are all on the card."""
        index = {name: i for i, name in enumerate(names)}
        products = [row.product for row in rows]
        processors = [processor_of(product) for product in products]
        effects = {}
        for quantity in _POOLED:
            matrix = np.zeros((len(rows), len(names)))
            for i, row in enumerate(rows):
                for name in _effects(row, quantity):
                    if name in index:
                        matrix[i, index[name]] = 1.0
            effects[quantity] = matrix
        return cls(
            launches=np.array([_launches(row) for row in rows]),
            weights=np.array([_weights(row) for row in rows]),
            elements=np.array([_elements(row) for row in rows]),
            cache=np.array([_cache(row) for row in rows]),
            seconds=np.array([row.seconds for row in rows]),
            bandwidth=np.array([float(gpu.bandwidth_bytes_per_second) for gpu in products]),
            clock=np.array([processor.clock_hz for processor in processors]),
            cycles=np.array([processor.cycles_per_second for processor in processors]),
            is_cuda=np.array([gpu.vendor == "NVIDIA" for gpu in products]),
            is_fused=np.array([row.flash_attention for row in rows]),
            is_legacy=np.array([float(row.is_legacy) for row in rows]),
            is_server=np.array([float(row.is_server) for row in rows]),
            effects=effects,
        )


def fit(rows: Sequence[SpeedRow]) -> dict[str, float]:
    """Values of all parameters, by name."""
    parameters = _parameters(rows)
    features = Features.of(rows, parameters.names)
    index = {name: i for i, name in enumerate(parameters.names)}
    middle, spread = np.array(parameters.middles), np.array(parameters.spreads)
    values = middle.copy()
    cards = Counter(row.gpu for row in rows)
    base = np.array([min(1.0, _MOST_ROWS_OF_A_CARD / cards[row.gpu]) for row in rows])
    target = np.log(features.seconds)
    for _ in range(_STEPS):
        now = np.log(seconds(values, index, features))
        left = target - now
        weights = base / (1 + (left / _SPREAD / 2) ** 2) / _SPREAD**2
        slope = np.empty((len(rows), len(values)))
        for i in range(len(values)):
            moved = values.copy()
            moved[i] += 1e-4
            slope[:, i] = (np.log(seconds(moved, index, features)) - now) / 1e-4
        curve = slope.T @ (slope * weights[:, None]) + np.diag(1 / spread**2)
        pull = slope.T @ (weights * left) - (values - middle) / spread**2
        step = np.clip(np.linalg.solve(curve, pull), -0.4, 0.4)
        values = values + step
        if np.abs(step).max() < 1e-3:
            break
    return dict(zip(parameters.names, values.tolist(), strict=True))


def predict(fitted: dict[str, float], rows: Sequence[SpeedRow]) -> Array:
    """Seconds of rows under fitted values; unknown cards and generations have no effect."""
    index = {name: i for i, name in enumerate(fitted)}
    return seconds(np.array(list(fitted.values())), index, Features.of(rows, list(fitted)))


def seconds(values: Array, index: dict[str, int], features: Features) -> Array:
    """Seconds of a decode step: the package's own formulas, on arrays."""

    def one(name: str) -> float:
        return float(np.exp(values[index[name]]))

    def effect(quantity: str) -> Array:
        return np.exp(features.effects[quantity] @ values)

    started = one("launch_cycles") / features.clock * effect("launch")
    cached = features.bandwidth * effect("cache")
    per_cycle = one("weights_per_cycle") * effect("unpack")
    per_cycle = per_cycle * one("legacy_unpack") ** features.is_legacy
    unpacked = np.where(features.is_cuda, features.cycles * per_cycle, np.inf)
    fields: dict[str, Any] = {
        "launch_seconds": started * one("legacy_launch") ** features.is_legacy,
        "bytes_per_second": features.bandwidth * one("efficiency") * effect("efficiency"),
        "unpacked_weights_per_second": unpacked,
        "cache_bytes_per_second": cached * one("cache_efficiency"),
        "plain_cache_bytes_per_second": cached * one("plain_cache_efficiency"),
        "flops_per_second": 1.0,
        "decode_basis": SpeedBasis.DEFAULT,
        "prefill_basis": SpeedBasis.DEFAULT,
    }
    card = CardConstants(**fields)
    units = [1.0 if kind is Launch.MATRIX else one(f"launch:{kind.value}") for kind in Launch]
    costs = [one(f"weight:{kind.value}") for kind in WeightKind]
    launches: Any = features.launches @ np.array(units)
    costly: Any = features.weights @ np.array(costs)
    number: Any = features.elements
    cache: Any = features.cache
    in_cache = np.where(
        features.is_fused,
        cache_seconds(cache, card, has_flash_attention=True),
        cache_seconds(cache, card, has_flash_attention=False),
    )
    return np.asarray(
        one("fixed_seconds")
        + features.is_server * one("server_seconds")
        + launch_seconds(launches, card)
        + weight_seconds(costly, number, card)
        + in_cache
    )


def as_constants(fitted: dict[str, float], document: dict[str, Any]) -> dict[str, Any]:
    """The packaged document with its decode constants replaced."""
    new = json.loads(json.dumps(document))
    rounded = {name: float(f"{np.exp(value):.4g}") for name, value in fitted.items()}
    for name, value in rounded.items():
        group, _, rest = name.partition(":")
        if not rest:
            new["all"][name] = value
        elif group == "launch":
            new["launches"][rest] = value
        elif group == "weight":
            new["weights"][rest] = value
        else:
            key, _, quantity = rest.rpartition(":")
            new[group].setdefault(key, {})[quantity] = value
    return dict(new)


def _parameters(rows: Sequence[SpeedRow]) -> Parameters:
    parameters = Parameters()
    for name, (middle, spread) in _GLOBAL.items():
        parameters.add(name, float(middle), spread)
    for row in rows:
        for quantity, (of_generation, of_card) in _POOLED.items():
            parameters.add(f"generation:{_generation(row)}:{quantity}", 0.0, of_generation)
            parameters.add(f"card:{row.gpu}:{quantity}", 0.0, of_card)
    return parameters


def _effects(row: SpeedRow, quantity: str) -> tuple[str, ...]:
    """Names of the effects on one constant of a row's card."""
    product = row.product
    return (
        f"vendor:{product.vendor}:{quantity}",
        f"memory:{processor_of(product).memory}:{quantity}",
        f"generation:{_generation(row)}:{quantity}",
        f"card:{row.gpu}:{quantity}",
    )


def _generation(row: SpeedRow) -> str:
    return _BUILT_ON.get(row.product.generation, row.product.generation)


def _launches(row: SpeedRow) -> list[float]:
    """Kernels by kind, in the order of Launch."""
    counts: Counter[Launch] = Counter()
    for layer in model_reads(model_of(row.model, row.quantization)).layers:
        counts.update(layer.launches)
    return [float(counts[kind]) for kind in Launch]


def _weights(row: SpeedRow) -> list[float]:
    """Bytes one token reads by kind, scaled to the row's file, in the order of WeightKind."""
    reads = model_reads(model_of(row.model, row.quantization))
    total: Counter[WeightKind] = Counter()
    for layer in reads.layers:
        for kind in WeightKind:
            total[kind] += layer.weights[kind] + layer.experts[kind] * reads.share_used  # type: ignore[assignment]
    return [total[kind] * row.size_ratio for kind in WeightKind]


def _elements(row: SpeedRow) -> float:
    """Weights one token multiplies."""
    reads = model_reads(model_of(row.model, row.quantization))
    return sum(
        layer.parameters + layer.expert_parameters * reads.share_used for layer in reads.layers
    )


def _cache(row: SpeedRow) -> float:
    reads = model_reads(model_of(row.model, row.quantization))
    types = cache_type(row.key), cache_type(row.value)
    return sum(cache_bytes_read(layer, row.mean_depth, *types) for layer in reads.layers)
