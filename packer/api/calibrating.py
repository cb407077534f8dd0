"""Process overhead of a running server, from its log and what nvidia-smi says of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from packer.api.measurements import FROM_LOG, FROM_NVIDIA_SMI, Calibration, Measurement
from packer.errors import InvalidInput, Location, Problem

if TYPE_CHECKING:
    from packer.llamacpp.nvidia_smi import ProcessOnCard
    from packer.llamacpp.server_log import ServerLog


def calibrate(
    log: str,
    nvidia_smi: str | None = None,
    *,
    pid: int | None = None,
    previous: Calibration | None = None,
    names: tuple[str, str] = ("server log", "nvidia-smi"),
) -> Calibration:
    """Process overhead on each card of a running server, added to what was known.

    Args:
        log: Log of the server, with ``-lv 4`` so that it names its buffers.
        nvidia_smi: What nvidia-smi printed while it ran; None takes the account that the server
            prints when it stops, in which other processes on the card count too.
        pid: The server's process; None takes the only one called llama-server, or the only one.
        previous: Measurements to keep.
        names: Names of the two texts, for errors.

    Raises:
        InvalidInput: P0496 to P0499, one of the texts cannot be used.
    """
    from packer.llamacpp.nvidia_smi import read_nvidia_smi
    from packer.llamacpp.server_log import read_server_log

    read = read_server_log(log.splitlines())
    if nvidia_smi is None:
        new = _unaccounted(read, names[0])
    else:
        processes = read_nvidia_smi(nvidia_smi, names[1])
        new = _beyond_buffers(read, _of_server(processes, pid, names[1]), names)
    known = previous or Calibration()
    return replace(known, measurements=(*known.measurements, *new))


def _unaccounted(log: "ServerLog", file: str) -> list[Measurement]:
    found = [
        Measurement(_product(gpu.name), gpu.compute_capability, size, FROM_LOG)
        for gpu in log.gpus
        if (size := log.unaccounted_bytes.get(f"CUDA{gpu.index}", 0)) > 0
    ]
    if not found:
        raise _unusable_log(file, "it has no account of what lies outside the buffers of a card")
    return found


def _beyond_buffers(
    log: "ServerLog", processes: "Sequence[ProcessOnCard]", names: tuple[str, str]
) -> list[Measurement]:
    """Measurements by product, of every card the log names."""
    from packer.memory.calibration import measured_overheads

    buffers = _buffers(log, names[0])
    found: list[Measurement] = []
    for product in dict.fromkeys(gpu.name for gpu in log.gpus):
        cards = [gpu for gpu in log.gpus if gpu.name == product]
        overheads = measured_overheads(
            [buffers.get(f"CUDA{gpu.index}", 0) for gpu in cards],
            [one.used_bytes for one in processes if _is_same(one.gpu, product)],
        )
        found += [
            Measurement(_product(product), gpu.compute_capability, overhead, FROM_NVIDIA_SMI)
            for gpu, overhead in zip(cards, overheads, strict=True)
        ]
    return found


def _buffers(log: "ServerLog", file: str) -> dict[str, int]:
    """Bytes of all buffers by device."""
    if log.projector_compute_bytes:
        raise _unusable_log(file, "a projector's weights are not in it; measure without --mmproj")
    contexts = [context for model in log.models for context in model.contexts]
    sizes: list[Mapping[str, int]] = [model.weights_bytes for model in log.models]
    sizes += [context.cache_bytes for context in contexts]
    sizes += [context.compute_bytes for context in contexts]
    total: dict[str, int] = {}
    for name, size in (item for one in sizes for item in one.items()):
        total[name] = total.get(name, 0) + size
    if not log.gpus:
        raise _unusable_log(file, "it names no CUDA card")
    if not any(name.startswith("CUDA") and name[4:].isdigit() for name in total):
        raise _unusable_log(file, "it names no buffer on a card")
    return total


def _unusable_log(file: str, why: str) -> InvalidInput:
    return InvalidInput(
        Problem(
            "P0497",
            "the log does not say what the server holds",
            Location(file),
            why,
            "start the server with -lv 4, and give its whole log",
        )
    )


def _of_server(
    processes: "Sequence[ProcessOnCard]", pid: int | None, file: str
) -> "list[ProcessOnCard]":
    """Rows of the one process that is the server."""
    candidates = {one.pid: one.process for one in processes}
    chosen = pid
    if pid is None:
        servers = [p for p, name in candidates.items() if "llama-server" in name]
        likely = servers or list(candidates)
        chosen = likely[0] if len(likely) == 1 else None
    if chosen not in candidates:
        listed = ", ".join(f"{p} ({name})" for p, name in candidates.items())
        title = "which process is the server?" if pid is None else f"process {pid} is on no card"
        help_ = f"--pid takes one of {listed}"
        raise InvalidInput(Problem("P0499", title, Location(file), help=help_))
    return [one for one in processes if one.pid == chosen]


def _is_same(one: str, other: str) -> bool:
    return _product(one) == _product(other)


def _product(name: str) -> str:
    """The catalogue's name of a card, or the driver's if it has none."""
    from packer.catalogue.gpus import find_gpu

    try:
        return find_gpu(name).name
    except InvalidInput:
        return " ".join(name.split())
