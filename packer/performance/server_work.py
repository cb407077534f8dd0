"""What one process computes, and on which devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile
from packer.domain.quantization import ElementType
from packer.domain.server_options import ServerOptions
from packer.memory.layer_split import HOST
from packer.memory.resolution import cache_type
from packer.performance.attention_kernels import attends_on_card
from packer.performance.constants import CardConstants, card_constants
from packer.performance.model_reads import ModelReads, model_reads
from packer.performance.offload import host_bytes_per_second
from packer.performance.placement import DeviceReads, placed_reads


@dataclass(frozen=True)
class ServerWork:
    """What one process computes, and on which devices.

    Attributes:
        devices: Reads of every card that holds something, and of the host (-1).
        cards: Constants of every visible card.
        bandwidths: Specified bandwidth of every visible card [bytes/s].
        host_rate: Bandwidth the CPU reaches; ``host_bandwidth`` is the specified one [bytes/s].
        ubatch: Physical batch [tokens].
        names: Product of every visible card.
        attends_on_card: Whether cards have kernels for attention to these cache types.
        prompt_card: Card that multiplies long prompts with the CPU's weights; None is the CPU.
    """

    reads: ModelReads
    devices: Mapping[int, DeviceReads]
    cards: tuple[CardConstants, ...]
    bandwidths: tuple[int, ...]
    host_rate: float
    key: ElementType
    value: ElementType
    ubatch: int
    has_flash_attention: bool
    names: tuple[str, ...] = ()
    prompt_card: int | None = None
    attends_on_card: bool = True

    @property
    def host_bandwidth(self) -> float:
        """Specified memory bandwidth of the node [bytes/s]."""
        return self.host_rate / host_bytes_per_second(1)

    @property
    def used_cards(self) -> tuple[int, ...]:
        """Cards that hold something, in order."""
        return tuple(sorted(place for place in self.devices if place != HOST))

    @property
    def place(self) -> str:
        """What computes: products of the cards, and ``CPU``, with `` + `` between."""
        used = dict.fromkeys(self.names[place] for place in self.used_cards)
        return " + ".join([*used, *(["CPU"] if HOST in self.devices else [])])


def server_work(
    model: ModelFile,
    options: ServerOptions,
    gpus: Sequence[GpuProduct],
    layers: Sequence[int],
    *,
    has_flash_attention: bool,
    host_bandwidth_bytes_per_second: int | None = None,
    build: str = "",
) -> ServerWork:
    """Work of one process.

    Args:
        model: Header of the served model.
        options: Command line of the server.
        gpus: Product of every visible card, in CUDA order.
        layers: Device of every block and of the output layer, as ``MemoryEstimate.layers``.
        has_flash_attention: Whether attention runs fused.
        host_bandwidth_bytes_per_second: Specified memory bandwidth of the node.
        build: llama.cpp build; empty is the newest.
    """
    devices = placed_reads(model, layers, options, len(gpus))
    copied_to = min((place for place in devices if place != HOST), default=0)
    return ServerWork(
        reads=model_reads(model),
        devices=devices,
        cards=_constants_of(gpus),
        bandwidths=tuple(gpu.bandwidth_bytes_per_second for gpu in gpus),
        host_rate=host_bytes_per_second(host_bandwidth_bytes_per_second),
        key=cache_type(options.cache_type_k),
        value=cache_type(options.cache_type_v),
        ubatch=options.ubatch_size or options.batch_size,
        has_flash_attention=has_flash_attention,
        names=tuple(gpu.name for gpu in gpus),
        prompt_card=copied_to if gpus and options.op_offload else None,
        attends_on_card=not has_flash_attention
        or attends_on_card(options.cache_type_k, options.cache_type_v, build),
    )


def _constants_of(gpus: Sequence[GpuProduct]) -> tuple[CardConstants, ...]:
    """Constants of every card; mostly all are one product, which is looked up once."""
    if gpus and all(gpu is gpus[0] for gpu in gpus):
        return (card_constants(gpus[0]),) * len(gpus)
    return tuple(card_constants(gpu) for gpu in gpus)
