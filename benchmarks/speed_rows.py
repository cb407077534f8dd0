"""Published speeds as rows the speed model can be asked about."""

import csv
import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from packer.catalogue.gpus import find_gpu
from packer.catalogue.models import catalogue_models, load_model_file
from packer.domain.basis import Basis
from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.memory.layer_split import layer_devices
from packer.memory.result import Card
from packer.performance.prompt import prompt_seconds
from packer.performance.server_work import ServerWork, server_work
from packer.performance.step import decode_step
from packer.performance.step_seconds import StepSeconds

ROWS = Path(__file__).resolve().parents[1] / "tests/data/performance/rows.csv.gz"
# Middles of figures that were compiled from rows we do not hold.
EXTRA_ROWS = ROWS.with_name("rows_extra.csv")
# Not a product the planner knows: only its slots are looked at, against its own single slot.
_APPLE = GpuProduct(
    "Apple M2 Ultra", "Apple", "Apple", "", 0, Basis.ESTIMATED, 0, 800 * 10**9, "", False, ""
)


@dataclass(frozen=True)
class SpeedRow:
    """One published setting and its median speed."""

    source: str
    kind: str
    gpu: str
    backend: str
    build: str
    model: str
    quantization: str
    label: str
    size_ratio: float
    depth: int
    prompt: int
    generated: int
    slots: int
    ubatch: int
    flash_attention: bool
    key: str
    value: str
    gpu_layers: int | None
    cpu_moe: int
    is_legacy: bool
    is_server: bool
    tokens_per_second: float

    @property
    def product(self) -> GpuProduct:
        """GPU of the row."""
        return _APPLE if self.gpu == _APPLE.name else find_gpu(self.gpu)

    @property
    def is_cuda(self) -> bool:
        """Whether the card is NVIDIA's."""
        return self.product.vendor == "NVIDIA"

    @property
    def is_moe(self) -> bool:
        """Whether the model has routed experts."""
        return model_of(self.model, self.quantization).number("expert_count", 0) > 0

    @property
    def is_offloaded(self) -> bool:
        """Whether some of the model is on the CPU."""
        return self.gpu_layers is not None or self.cpu_moe > 0

    @property
    def mean_depth(self) -> int:
        """Depth in the middle of the measurement [tokens]."""
        return self.depth + (self.generated or 128) // 2

    @property
    def seconds(self) -> float:
        """Measured seconds of a step of all slots, or of the prompt."""
        if self.kind == "prefill":
            return self.prompt_tokens / self.tokens_per_second
        return self.slots / self.tokens_per_second

    @property
    def prompt_tokens(self) -> int:
        """Length of the prompt; llama-bench's usual one where a row does not say."""
        return self.prompt or 512

    def work(self, product: GpuProduct | None = None) -> ServerWork:
        """What the row's process computes."""
        model = model_of(self.model, self.quantization)
        options = ServerOptions(
            gpu_layers=self.gpu_layers,
            cpu_moe_layers=self.cpu_moe,
            ubatch_size=self.ubatch,
            cache_type_k=self.key,
            cache_type_v=self.value,
        )
        blocks = model.number("block_count")
        layout = layer_devices(blocks, self.gpu_layers, (), (Card(self.gpu, 1),), (0,))
        return server_work(
            model,
            options,
            (product or self.product,),
            layout.layers,
            has_flash_attention=self.flash_attention,
        )

    def predicted(self, product: GpuProduct | None = None) -> StepSeconds:
        """The model's seconds of the same work, for a file of the catalogue's size."""
        work = self.work(product)
        if self.kind == "prefill":
            return prompt_seconds(work, self.prompt_tokens, self.depth)
        return decode_step(work, self.mean_depth, self.slots)


@cache
def model_of(model: str, quantization: str) -> ModelFile:
    """Header of the catalogue."""
    return load_model_file(model, quantization)


@cache
def speed_rows() -> tuple[SpeedRow, ...]:
    """All rows, in the order of the file."""
    known = {model.id for model in catalogue_models()}
    with gzip.open(ROWS, "rt", encoding="utf-8", newline="") as file:
        rows = [_row(raw) for raw in csv.DictReader(file)]
    with EXTRA_ROWS.open(encoding="utf-8", newline="") as file:
        rows += [_row(raw) for raw in csv.DictReader(file)]
    return tuple(row for row in rows if row.model in known)


def _row(raw: dict[str, str]) -> SpeedRow:
    return SpeedRow(
        source=raw["source"],
        kind=raw["kind"],
        gpu=raw["gpu"],
        backend=raw["backend"],
        build=raw["build"],
        model=raw["model"],
        quantization=raw["quantization"],
        label=raw["label"],
        size_ratio=float(raw["size_ratio"]),
        depth=int(raw["depth"]),
        prompt=int(raw["prompt"]),
        generated=int(raw["generated"]),
        slots=int(raw["slots"]),
        ubatch=int(raw["ubatch"]),
        flash_attention=raw["flash_attention"] == "1",
        key=raw["key"],
        value=raw["value"],
        gpu_layers=int(raw["gpu_layers"]) if raw["gpu_layers"].isdigit() else None,
        cpu_moe=int(raw["cpu_moe"] or 0),
        is_legacy=raw["legacy"] == "1",
        is_server=raw["server"] == "1",
        tokens_per_second=float(raw["tokens_per_second"]),
    )
