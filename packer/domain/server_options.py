"""What a llama-server was told, as far as it decides bytes.

A field holds what the command line said; ``None`` means the flag was not given and llama.cpp's own
default applies. Resolution (slots, contexts, batches) happens in ``memory.resolution``.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class SplitMode(StrEnum):
    """How one model is spread over several GPUs, ``--split-mode``."""

    NONE = "none"
    LAYER = "layer"
    ROW = "row"
    TENSOR = "tensor"


class FlashAttention(StrEnum):
    """``--flash-attn``; auto lets llama.cpp decide per context."""

    ON = "on"
    OFF = "off"
    AUTO = "auto"


@dataclass(frozen=True)
class DraftOptions:
    """A second model that drafts tokens, ``--spec-draft-model`` and its own sizing flags.

    Nothing here is inherited from the target but what llama.cpp inherits (context, slots, unified,
    tensor split); the cache types default to f16 whatever the target uses. Multi-token prediction
    has no second model: ``model`` is empty then and the cache types are those of its own context.
    """

    model: str = ""
    gpu_layers: int | None = None
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    devices: tuple[str, ...] | None = None
    cpu_moe: bool = False
    cpu_moe_layers: int = 0
    override_tensors: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ServerOptions:
    """Sizing options of one llama-server process.

    Attributes:
        program: ``llama-server`` or ``llama-fit-params`` (whose outputs are the whole batch).
        model: Path, URI or catalogue reference exactly as given with ``--model``.
        context_size: ``--ctx-size``, cells over all slots together; None or 0 takes the model's.
        context_per_slot: ``--kv-unified-per-slot``.
        slots: ``--parallel``; None is auto: 4 slots and a unified cache.
        kv_unified: ``--kv-unified``; None is off when slots are given, on when they are auto.
        gpu_layers: ``--gpu-layers``; None is all.
        tensor_split: ``--tensor-split``, proportions in device order; empty is by free memory.
        devices: ``--device`` names in order; None is every visible one, () is none.
        cpu_moe_layers: ``--n-cpu-moe``. cpu_ffn_layers: ``--n-cpu-ffn``.
        override_tensors: ``--override-tensor`` as (regular expression, buffer type); the first
            match wins, and all of these come before ``cpu_moe`` and its kind.
        override_metadata: ``--override-kv`` as (key, value); replaces what the file says.
        speculation: ``--spec-type`` values, such as ``("draft-mtp",)``; () lets llama.cpp infer
            one from the draft model, ``("none",)`` does not.
        draft_depth: ``--spec-draft-n-max``; None is llama.cpp's default of 3.
        ngram_depth: Longest draft of the enabled ``ngram-*`` types [tokens].
        projector_device: ``--mmproj-device``; None is the first device.
        image_max_tokens: ``--image-max-tokens``; None is the projector's own.
        prompt_cache_mib: ``--cache-ram`` [MiB]; 0 is off, -1 without limit.
        context_checkpoints: ``--ctx-checkpoints`` per slot.
        notes: What a reader of the answer must know about how the command line was read.
    """

    model: str = ""
    program: str = "llama-server"
    context_size: int | None = None
    context_per_slot: int | None = None
    slots: int | None = None
    kv_unified: bool | None = None
    batch_size: int = 2048
    ubatch_size: int = 512
    gpu_layers: int | None = None
    tensor_split: tuple[float, ...] = ()
    split_mode: SplitMode = SplitMode.LAYER
    main_gpu: int = 0
    devices: tuple[str, ...] | None = None
    cache_type_k: str = "f16"
    cache_type_v: str = "f16"
    flash_attention: FlashAttention = FlashAttention.AUTO
    cpu_moe: bool = False
    cpu_moe_layers: int = 0
    cpu_ffn_layers: int = 0
    override_tensors: tuple[tuple[str, str], ...] = ()
    kv_offload: bool = True
    op_offload: bool = True
    swa_full: bool = False
    embedding: bool = False
    reranking: bool = False
    pooling: str | None = None
    load_mode: str = "auto"
    repack: bool = True
    no_host: bool = False
    speculation: tuple[str, ...] = ()
    draft: DraftOptions | None = None
    draft_depth: int | None = None
    projector: str | None = None
    projector_offload: bool = True
    lora: tuple[str, ...] = ()
    prompt_cache_mib: int = 8192
    context_checkpoints: int = 32
    fit: bool = True
    lazy_mode: str = "auto"
    override_metadata: tuple[tuple[str, int | float | bool | str], ...] = ()
    ngram_depth: int = 0
    projector_device: str | None = None
    image_max_tokens: int | None = None
    backend_sampling: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)
