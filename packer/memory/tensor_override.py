"""Which tensors leave their layer's device: `--override-tensor`, `--cpu-moe` and their kin."""

from collections.abc import Sequence

from packer.domain.server_options import DraftOptions, ServerOptions
from packer.errors import InvalidInput, Problem
from packer.memory.hyperparameters import MOST_LAYERS
from packer.memory.layer_split import HOST
from packer.memory.tensor_pattern import Finder, check_pattern, refused_pattern

# llama.cpp b11434, common/common.h.
_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
_DENSE = r"\.ffn_(up|down|gate)\."

Override = tuple[str, int]
"""A pattern to search for in tensor names, and the device they go to."""


def tensor_overrides(
    options: ServerOptions | DraftOptions, card_count: int
) -> tuple[Override, ...]:
    """Patterns and devices in the order llama.cpp tries them; the first match wins.

    Raises:
        InvalidInput: A pattern is none llama.cpp takes, or its buffer type does not exist.

    Source: llama.cpp b11434, common/arg.cpp, parse_tensor_buffer_overrides() and `--n-cpu-moe`.
    """
    overrides = [
        (_checked_pattern(pattern), _device(buffer, card_count))
        for pattern, buffer in options.override_tensors
    ]
    if options.cpu_moe:
        overrides.append((_EXPERTS, HOST))
    if options.cpu_moe_layers:
        overrides.append((_first_blocks(options.cpu_moe_layers) + _EXPERTS, HOST))
    if isinstance(options, ServerOptions) and options.cpu_ffn_layers:
        overrides.append((_first_blocks(options.cpu_ffn_layers) + _DENSE, HOST))
    return tuple(overrides)


def has_overrides(options: ServerOptions | DraftOptions) -> bool:
    """Whether any tensor may leave its layer's device."""
    return bool(
        options.override_tensors
        or options.cpu_moe
        or options.cpu_moe_layers
        or (isinstance(options, ServerOptions) and options.cpu_ffn_layers)
    )


def overridden_device(name: str, patterns: Sequence[tuple[Finder, int]]) -> int | None:
    """Device an override sends a tensor to; None when no pattern is found in its name."""
    for is_found, device in patterns:
        if is_found(name):
            return device
    return None


def _first_blocks(count: int) -> str:
    """Pattern for blocks 0 to count - 1; one pattern instead of llama.cpp's one per block."""
    return r"blk\.(" + "|".join(map(str, range(min(count, MOST_LAYERS)))) + ")"


def _checked_pattern(pattern: str) -> str:
    try:
        check_pattern(pattern)
    except ValueError as error:
        raise refused_pattern(pattern, str(error)) from None
    return pattern


def _device(buffer: str, card_count: int) -> int:
    """Device of a buffer type's name."""
    devices = {"CPU": HOST} | {f"CUDA{i}": i for i in range(card_count)}
    if buffer not in devices:
        raise InvalidInput(
            Problem(
                code="P0508",
                title=f"--override-tensor names a buffer type {buffer!r} that does not exist",
                help=f"use one of {', '.join(devices)}",
            )
        )
    return devices[buffer]
