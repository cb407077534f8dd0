"""Speed of one llama-server process: decode per slot and in all, prompts, first token."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile
from packer.domain.server_options import ServerOptions
from packer.errors import InvalidInput, Problem
from packer.memory.layer_split import HOST
from packer.memory.result import MemoryEstimate
from packer.performance.calibration import Calibration, Factors
from packer.performance.constants import speed_constants
from packer.performance.figure import Figure, SpeedBasis
from packer.performance.learnt import Learnt
from packer.performance.load_time import load_seconds
from packer.performance.processor import processor_of
from packer.performance.prompt import prompt_seconds
from packer.performance.server_work import ServerWork, server_work
from packer.performance.step import bandwidth_limit, decode_step
from packer.performance.step_seconds import StepSeconds


@dataclass(frozen=True)
class SpeedEstimate:
    """Speed of one process at a depth with a number of slots decoding.

    Attributes:
        decode_tokens_per_second: Of one slot, while all of them decode.
        decode_aggregate_tokens_per_second: Of all slots together.
        prefill_tokens_per_second: Of one prompt as long as the depth, nothing else running.
        first_token_seconds: Of that prompt and the first step after it.
        load_seconds: From start to the first answer.
        depth, slots: What the figures hold for.
        bandwidth_limit_tokens_per_second: Ceiling of one slot that physics sets: specified
            bandwidth over the bytes a step must read.
        step, prompt: The default model's seconds, which calibration compares with.
        place: What computes, as calibrations name it.
    """

    decode_tokens_per_second: Figure
    decode_aggregate_tokens_per_second: Figure
    prefill_tokens_per_second: Figure
    first_token_seconds: Figure
    load_seconds: Figure
    depth: int
    slots: int
    bandwidth_limit_tokens_per_second: float
    step: StepSeconds
    prompt: StepSeconds
    place: str = ""
    notes: tuple[str, ...] = field(default=())


def estimate_speed(
    model: ModelFile,
    options: ServerOptions,
    gpus: Sequence[GpuProduct],
    memory: MemoryEstimate,
    *,
    depth: int,
    slots: int | None = None,
    host_bandwidth_bytes_per_second: int | None = None,
    storage_bytes_per_second: float | None = None,
    calibration: Calibration | None = None,
    learnt: Learnt | None = None,
    further_file_bytes: int = 0,
) -> SpeedEstimate:
    """Speed of one llama-server process. Estimate, every figure with its band.

    Args:
        model: Header of the served model.
        options: Command line of the server.
        gpus: Product of every card the process sees, in CUDA order.
        memory: Memory of the same process: where layers are, slots, flash attention.
        depth: Tokens already in each slot that decodes.
        slots: Slots that decode at once; None takes all the server has.
        host_bandwidth_bytes_per_second: Specified memory bandwidth of the node.
        storage_bytes_per_second: Rate at which the model file is read.
        calibration: Factors measured for this GPU and model.
        learnt: All that was measured; what is about this GPU, model and build is taken from it.
        further_file_bytes: Draft model and projector, which are read from storage too [bytes].

    Raises:
        InvalidInput: The depth or the slots are impossible for this server.
    """
    decoding = memory.slots if slots is None else slots
    _check(depth, decoding, memory)
    work = server_work(
        model,
        options,
        gpus,
        memory.layers,
        has_flash_attention=memory.flash_attention,
        host_bandwidth_bytes_per_second=host_bandwidth_bytes_per_second,
        build=memory.build,
    )
    if learnt is not None and calibration is None:
        calibration = learnt.speed(work.place, model, memory.build)
    tokens = max(depth, 1)
    step, prompt = decode_step(work, depth, decoding), prompt_seconds(work, tokens, 0)
    decode, prefill = _factors(calibration)
    one = _figure("decode", work, decode, 1 / decode.seconds(step.rest, step.depth, decoding))
    one = _widened(one, decode, decoding)
    read = _figure("prefill", work, prefill, tokens / prefill.seconds(prompt.rest, prompt.depth))
    return SpeedEstimate(
        decode_tokens_per_second=one,
        decode_aggregate_tokens_per_second=one.scaled(decoding),
        prefill_tokens_per_second=read,
        first_token_seconds=_sum(read.inverted().scaled(tokens), one.inverted()),
        load_seconds=load_seconds(model.file_bytes + further_file_bytes, storage_bytes_per_second),
        depth=depth,
        slots=decoding,
        bandwidth_limit_tokens_per_second=bandwidth_limit(work, depth, decoding),
        step=step,
        prompt=prompt,
        place=work.place,
        notes=(
            *_notes(work, gpus, host_bandwidth_bytes_per_second),
            *(learnt.silence(work.place, model, memory.build) if learnt else ()),
        ),
    )


def _check(depth: int, slots: int, memory: MemoryEstimate) -> None:
    """Refuse what this server cannot be asked."""
    problems = []
    if not 0 <= depth <= memory.context_cells_per_slot:
        problems.append(
            Problem(
                code="P1003",
                title=f"a depth of {depth} tokens does not fit in a slot",
                why=f"a slot holds {memory.context_cells_per_slot} tokens",
                help="lower the depth, or raise --ctx-size",
            )
        )
    if not 1 <= slots <= memory.slots:
        problems.append(
            Problem(
                code="P1004",
                title=f"{slots} slots cannot decode at once",
                why=f"the server has {memory.slots}",
                help=f"ask for 1 to {memory.slots}, or raise --parallel",
            )
        )
    if problems:
        raise InvalidInput(problems)


def _factors(calibration: Calibration | None) -> tuple[Factors, Factors]:
    if calibration is None:
        return Factors(), Factors()
    return calibration.decode, calibration.prefill


def _figure(quantity: str, work: ServerWork, factors: Factors, value: float) -> Figure:
    """The value with the band its basis has."""
    basis = SpeedBasis.MEASURED if factors.measurements else _cards_basis(work, quantity)
    low, high = speed_constants().band(quantity, basis, _kind(work))
    return Figure(value, value * low, value * high, basis)


def _cards_basis(work: ServerWork, quantity: str) -> SpeedBasis:
    """Basis of the least known card."""
    cards = [work.cards[place] for place in work.used_cards]
    basis = SpeedBasis.CALIBRATED if cards else SpeedBasis.DEFAULT
    for card in cards:
        basis = basis.worse(card.decode_basis if quantity == "decode" else card.prefill_basis)
    return basis


def _kind(work: ServerWork) -> str:
    """Which errors apply: work on the CPU has the widest band."""
    if HOST in work.devices or not work.attends_on_card:
        return "offload"
    return "moe" if work.reads.has_experts else "dense"


def _widened(figure: Figure, factors: Factors, slots: int) -> Figure:
    """Band of several slots, unless their number was measured."""
    if slots == 1 or any(measured == slots for measured, _ in factors.by_slots):
        return figure
    low, high = speed_constants().band("slots", figure.basis, "any")
    return Figure(figure.value, figure.low * low, figure.high * high, figure.basis)


def _sum(first: Figure, second: Figure) -> Figure:
    """Sum of two figures whose errors may go together."""
    return Figure(
        first.value + second.value,
        first.low + second.low,
        first.high + second.high,
        first.basis.worse(second.basis),
    )


def _notes(
    work: ServerWork, gpus: Sequence[GpuProduct], host_bandwidth: int | None
) -> tuple[str, ...]:
    """What a reader must know about the figures."""
    notes = []
    for name in dict.fromkeys(gpus[place].name for place in work.used_cards):
        gpu = next(gpu for gpu in gpus if gpu.name == name)
        if not processor_of(gpu).is_known:
            notes.append(f"{name}: number of multiprocessors unknown, usual proportions taken")
    if work.used_cards and not work.attends_on_card:
        notes.append(
            f"a default CUDA build has no attention for {work.key.name} keys and "
            f"{work.value.name} values: attention runs on the CPU"
        )
    if _kind(work) == "offload" and host_bandwidth is None:
        notes.append(
            "memory bandwidth of the node unknown: 76.8 GB/s (two channels of DDR5-4800) taken"
        )
    return tuple(notes)
