"""What a user writes in a fleet file, key by key."""

from typing import Annotated, Literal

from pydantic import Field

from packer.spec.demand_schema import MOST_BANDS, BandEntry, ServingWishes
from packer.spec.field_types import (
    BuildNumber,
    CacheType,
    FileReference,
    Flag,
    GpuName,
    ImageReference,
    ModelReference,
    QuantizationName,
    ServiceName,
    Whole,
)
from packer.spec.quantity_types import Bytes, Tokens
from packer.spec.strict_model import Metadata, StrictModel

MOST_WORKLOADS = 5_000
MOST_REPLICAS = 10_000
MOST_SLOTS = 256
"""LLAMA_MAX_SEQ. Source: llama.cpp b11434, src/llama-cparams.h."""
MOST_GPUS = 16
"""GGML_CUDA_MAX_DEVICES. Source: llama.cpp b11434, ggml/include/ggml-cuda.h."""

Quantizations = Annotated[tuple[QuantizationName, ...], Field(min_length=1, max_length=40)]
WorkloadNames = Annotated[tuple[ServiceName, ...], Field(min_length=2, max_length=MOST_WORKLOADS)]


class ServerImageEntry(StrictModel):
    """Container image of llama-server and the llama.cpp build in it."""

    image: ImageReference
    """Image the pods run, such as `ghcr.io/ggml-org/llama.cpp:server-cuda-b11434`."""
    build: BuildNumber | None = None
    """llama.cpp build in the image; flags are spelled for it. Read from the tag if left out."""


class HeadroomEntry(StrictModel):
    """Room kept free on every card: the larger of both."""

    bytes: Bytes | None = None
    """Bytes kept free on every card. Default 512Mi."""
    percent: Annotated[Whole, Field(ge=0, le=50)] | None = None
    """Percent of each card's allocatable memory kept free. Default 2."""


class GpuChoice(StrictModel):
    """Which GPU products may serve a workload."""

    allow: Annotated[tuple[GpuName, ...], Field(min_length=1, max_length=100)] | None = None
    """Only these products."""
    refuse: Annotated[tuple[GpuName, ...], Field(max_length=100)] = ()
    """Never these products."""


class DraftEntry(StrictModel):
    """A small model that drafts tokens for the large one, in the same process."""

    model: ModelReference
    """Draft model: `./draft.gguf`, or `catalogue:<id>`."""
    quantization: QuantizationName | None = None
    """Quantization of a draft model from the catalogue or from a path with `{quantization}`."""
    file: FileReference | None = None
    """File the pods mount, as `file` of the workload."""
    depth: Annotated[Whole, Field(ge=1, le=64)] = 3
    """Tokens drafted at once, `--spec-draft-n-max`."""
    cache_type: CacheType = "f16"
    """Element type of the draft's KV cache; llama.cpp does not inherit the workload's."""


class ProjectorEntry(StrictModel):
    """Multimodal projector (mmproj) of a model that sees or hears."""

    model: ModelReference
    """GGUF file of the projector on this machine; its header is read."""
    file: FileReference | None = None
    """File the pods mount, as `file` of the workload."""


class WorkloadOptions(ServingWishes):
    """Keys that a workload may give itself or take from `defaults`."""

    quantizations: Quantizations | None = None
    """Acceptable quantizations, best first. The plan prefers earlier ones."""
    context: Tokens | None = None
    """Tokens one conversation (slot) may hold, such as `16Ki`."""
    slots: Annotated[Whole, Field(ge=1, le=MOST_SLOTS)] | None = None
    """Conversations at once in one replica, `--parallel`. Default 1, or what `demand` needs."""
    kv_unified: Flag | None = None
    """One KV pool of context × slots cells for all slots, `--kv-unified`. Default false."""
    cache_types: Annotated[tuple[CacheType, ...], Field(min_length=1, max_length=9)] | None = None
    """Acceptable KV cache types, best first; keys and values use the same. Default [f16]."""
    flash_attention: Literal["on", "off", "auto"] | None = None
    """`--flash-attn`; a quantized KV cache needs it. Default on."""
    replicas: Annotated[Whole, Field(ge=1, le=MOST_REPLICAS)] | None = None
    """Servers of this workload. Default 1, or what `demand` needs."""
    min_available: Annotated[Whole, Field(ge=0, le=MOST_REPLICAS)] | None = None
    """Replicas that must keep serving during a change. Default: all but one."""
    spread: Literal["none", "node", "zone"] | None = None
    """Replicas share no node, or no zone. Default none."""
    spot: Literal["allowed", "refused"] | None = None
    """Whether replicas may sit on spot nodes, which can be taken back. Default refused."""
    gpus: GpuChoice | None = None
    """GPU products that may or may not be used."""
    max_gpus: Annotated[Whole, Field(ge=1, le=MOST_GPUS)] | None = None
    """Most cards of one node that a replica may be split over. Default: all of a node."""
    batch_size: Annotated[Whole, Field(ge=1, le=2**16)] | None = None
    """Tokens in one logical batch, `--batch-size`. Default 2048."""
    ubatch_size: Annotated[Whole, Field(ge=1, le=2**16)] | None = None
    """Tokens in one physical batch, `--ubatch-size`; sizes the compute buffer. Default 512."""
    prompt_cache: Bytes | None = None
    """Host memory for cached prompts, `--cache-ram`; 0 is off. Default 2Gi."""
    context_checkpoints: Annotated[Whole, Field(ge=0, le=1024)] | None = None
    """Checkpoints kept per slot in host memory, `--ctx-checkpoints`. Default 8."""


class Defaults(WorkloadOptions):
    """Values of every workload that does not say otherwise."""

    headroom: HeadroomEntry = HeadroomEntry()
    """Room kept free on every card."""
    load_limit: Annotated[Whole, Field(ge=1, le=100)] | None = None
    """Most of a card's time that workloads with a demand may need together [percent].
    Default 85."""


class WorkloadEntry(WorkloadOptions):
    """One model to serve."""

    name: ServiceName
    """Name of the workload and its Service; begins with a letter."""
    model: ModelReference
    """`catalogue:<id or alias>`, or a GGUF file here: `./model.gguf`, `./m-{quantization}.gguf`."""
    file: FileReference | None = None
    """What the pods mount: `pvc://claim/path`, `csi://driver/path?attribute=value`,
    `image://reference#path` or `file:///path/on/the/node`; `{quantization}` stands for the chosen
    one. A GGUF file that is readable here replaces the catalogue's sizes."""
    embedding: Flag = False
    """Serves embeddings, `--embedding`."""
    reranking: Flag = False
    """Serves reranking, `--reranking`."""
    draft: DraftEntry | None = None
    """Draft model for speculative decoding."""
    projector: ProjectorEntry | None = None
    """Multimodal projector."""
    bands: Annotated[tuple[BandEntry, ...], Field(min_length=2, max_length=MOST_BANDS)] | None = (
        None
    )
    """Requests by length, shortest first, each band with servers and a context of its own."""


class FleetEntry(StrictModel):
    """Models that must be served, and what each is allowed to use."""

    api_version: Literal["gpu-packer/v1"]
    """Version of this format."""
    kind: Literal["Fleet"]
    """Kind of this document."""
    metadata: Metadata
    """Name of the fleet."""
    server_image: ServerImageEntry
    """Image of llama-server and its build."""
    objective: Literal["cards", "price"] = "cards"
    """What is minimised first: cards, or the price of the nodes used."""
    gateway: Literal["none", "litellm", "httproute"] = "none"
    """One address for all models, by the name (and length) of a request."""
    defaults: Defaults = Defaults()
    """Values of every workload that does not say otherwise."""
    workloads: Annotated[tuple[WorkloadEntry, ...], Field(min_length=1, max_length=MOST_WORKLOADS)]
    """Models to serve."""
    keep_apart: Annotated[tuple[WorkloadNames, ...], Field(max_length=1000)] = ()
    """Groups of workloads of which no two share a node."""
    keep_together: Annotated[tuple[WorkloadNames, ...], Field(max_length=1000)] = ()
    """Groups of workloads whose replicas share nodes."""
