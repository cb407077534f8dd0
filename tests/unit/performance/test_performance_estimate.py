"""Speed of whole servers: published measurements, directions, bands, refusals."""

import time

import pytest

from packer.catalogue.gpus import find_gpu
from packer.catalogue.models import load_model_file
from packer.domain.server_options import FlashAttention, ServerOptions
from packer.errors import InvalidInput
from packer.memory.estimate import estimate_memory
from packer.memory.result import Card
from packer.performance.calibration import Calibration, Factors
from packer.performance.constants import card_constants
from packer.performance.estimate import SpeedEstimate, estimate_speed
from packer.performance.figure import SpeedBasis
from packer.performance.server_work import server_work
from packer.performance.speculation import tokens_per_cycle_reported
from packer.performance.step import decode_step, nextn_seconds

DDR5_4800 = 76_800_000_000


def speed(
    name: str,
    quantization: str,
    gpu: str,
    options: ServerOptions | None = None,
    *,
    depth: int = 128,
    slots: int | None = None,
    cards: int = 1,
    host: int | None = None,
    calibration: Calibration | None = None,
) -> SpeedEstimate:
    """Estimate of a catalogue model on equal cards."""
    model, product = load_model_file(name, quantization), find_gpu(gpu)
    asked = options or ServerOptions(slots=1, context_size=16384)
    card = Card(
        product.name,
        product.allocatable_bytes,
        None,
        product.generation,
        product.compute_capability,
    )
    return estimate_speed(
        model,
        asked,
        (product,) * cards,
        estimate_memory(model, asked, (card,) * cards),
        depth=depth,
        slots=slots,
        host_bandwidth_bytes_per_second=host,
        calibration=calibration,
    )


def decode(*arguments: str, **rest: object) -> float:
    """Tokens per second of one slot."""
    return speed(*arguments, **rest).decode_tokens_per_second.value  # type: ignore[arg-type]


# Article C, RTX 4080 16 GB: dense within 15 %, MoE within 20 %.
@pytest.mark.parametrize(
    ("model", "measured", "allowed"),
    [("qwen3.5-27b", 45.0, 0.15), ("qwen3.5-35b-a3b", 146.0, 0.20)],
)
def test_plain_speeds_on_the_rtx_4080(model: str, measured: float, allowed: float) -> None:
    options = ServerOptions(slots=1, context_size=16384, cache_type_k="q8_0", cache_type_v="q8_0")
    assert decode(model, "IQ3_XXS", "RTX 4080", options=options) == pytest.approx(
        measured, rel=allowed
    )


# The same article with multi-token prediction; acceptance was not published, 0.8 is assumed.
@pytest.mark.parametrize(
    ("model", "drafted", "measured", "allowed"),
    [
        ("qwen3.5-27b-mtp", 2, 75.0, 0.15),
        ("qwen3.5-27b-mtp", 1, 57.0, 0.15),
        ("qwen3.5-35b-a3b-mtp", 1, 186.0, 0.20),
    ],
)
def test_drafted_speeds_on_the_rtx_4080(
    model: str, drafted: int, measured: float, allowed: float
) -> None:
    file, gpu = load_model_file(model, "IQ3_XXS"), find_gpu("RTX 4080")
    layers = (0,) * (file.number("block_count") + 1)
    work = server_work(file, ServerOptions(), (gpu,), layers, has_flash_attention=True)
    cycle = decode_step(work, 1000, 1, 1 + drafted).total + drafted * nextn_seconds(work)
    yielded = tokens_per_cycle_reported(0.8, drafted)
    assert yielded / cycle == pytest.approx(measured, rel=allowed)


def test_a_model_without_nextn_blocks_drafts_nothing() -> None:
    file, gpu = load_model_file("llama-3.2-1b", "Q8_0"), find_gpu("L4")
    work = server_work(file, ServerOptions(), (gpu,), (0,) * 17, has_flash_attention=True)
    assert nextn_seconds(work) == 0.0


def test_every_card_has_the_constants_of_its_own_product() -> None:
    file, gpus = load_model_file("llama-3.2-1b", "Q8_0"), (find_gpu("L4"), find_gpu("RTX 4090"))
    layers = (0,) * 8 + (1,) * 9
    work = server_work(file, ServerOptions(), gpus, layers, has_flash_attention=True)
    assert work.cards == tuple(map(card_constants, gpus))
    assert work.cards[0] != work.cards[1]


# Article B, RTX 4060 Laptop 8 GB with 76.8 GB/s: fewer layers on the card explain every draft row.
@pytest.mark.parametrize(("gpu_layers", "measured"), [(24, 3.5), (20, 3.1), (13, 2.8), (0, 2.5)])
def test_layers_on_the_cpu_of_the_rtx_4060_laptop(gpu_layers: int, measured: float) -> None:
    options = ServerOptions(slots=1, context_size=4096, gpu_layers=gpu_layers)
    found = speed("qwen3.5-27b", "Q4_K_M", "RTX 4060 Laptop", options, host=DDR5_4800)
    assert found.decode_tokens_per_second.value == pytest.approx(measured, rel=0.20)
    assert found.decode_tokens_per_second.low < measured < found.decode_tokens_per_second.high


def test_ranking_on_the_rtx_4060_laptop() -> None:
    def offloaded(count: int) -> float:
        options = ServerOptions(slots=1, context_size=4096, gpu_layers=count)
        return decode("qwen3.5-27b", "Q4_K_M", "RTX 4060 Laptop", options=options, host=DDR5_4800)

    experts_away = ServerOptions(slots=1, context_size=4096, cpu_moe_layers=40)
    layers_away = ServerOptions(slots=1, context_size=4096, gpu_layers=13)
    ranked = [
        decode("qwen3.5-9b", "Q4_K_M", "RTX 4060 Laptop"),
        decode("qwen3.5-35b-a3b", "Q4_K_M", "RTX 4060 Laptop", options=experts_away),
        decode("qwen3.5-35b-a3b", "Q4_K_M", "RTX 4060 Laptop", options=layers_away),
        *map(offloaded, (24, 20, 13, 0)),
    ]
    assert ranked == sorted(ranked, reverse=True)


# Published single-stream rows, llama-bench and server logs.
@pytest.mark.parametrize(
    ("model", "quantization", "gpu", "measured", "allowed"),
    [
        ("llama-3.1-8b", "Q4_K_M", "RTX 5070", 105.4, 0.10),
        ("qwen2.5-14b", "Q4_K_M", "RTX 5070", 58.1, 0.10),
        ("qwen3.5-35b-a3b", "Q4_K_M", "RTX 3090", 141.9, 0.15),
        ("qwen3.5-35b-a3b", "Q4_K_M", "RTX 4090", 162.0, 0.15),
        ("gpt-oss-120b", "MXFP4", "GB10", 58.7, 0.10),
        ("qwen3.5-9b", "Q8_0", "H100 SXM", 210.0, 0.15),
    ],
)
def test_published_decode_speeds(
    model: str, quantization: str, gpu: str, measured: float, allowed: float
) -> None:
    assert decode(model, quantization, gpu) == pytest.approx(measured, rel=allowed)


def test_small_quants_do_not_speed_a_small_active_moe_up_much() -> None:
    slower = decode("qwen3.5-35b-a3b", "Q4_K_M", "RTX 3090")
    assert decode("qwen3.5-35b-a3b", "IQ3_XXS", "RTX 3090") < 1.15 * slower


def test_no_estimate_beats_physics() -> None:
    for gpu in ("RTX 4090", "H100 SXM", "RTX 4070 Laptop", "GB10"):
        found = speed("llama-3.2-3b", "Q8_0", gpu)
        assert found.decode_tokens_per_second.value < found.bandwidth_limit_tokens_per_second


def test_depth_slows_decode_and_a_small_cache_type_less() -> None:
    shallow = decode("llama-3.1-8b", "Q4_K_M", "RTX 4090", depth=0)
    deep = decode("llama-3.1-8b", "Q4_K_M", "RTX 4090", depth=16384)
    small = ServerOptions(slots=1, context_size=16384, cache_type_k="q8_0", cache_type_v="q8_0")
    assert deep < decode("llama-3.1-8b", "Q4_K_M", "RTX 4090", options=small, depth=16384) < shallow


def test_flash_attention_matters_at_depth() -> None:
    off = ServerOptions(slots=1, context_size=16384, flash_attention=FlashAttention.OFF)
    with_it = decode("llama-3.1-8b", "Q4_K_M", "RTX 4090", depth=16384)
    assert decode("llama-3.1-8b", "Q4_K_M", "RTX 4090", options=off, depth=16384) < 0.9 * with_it


def test_slots_share_the_weights() -> None:
    options = ServerOptions(slots=8, context_size=8 * 4096)
    one = speed("llama-3.1-8b", "Q4_K_M", "L40S", options, slots=1)
    all_of_them = speed("llama-3.1-8b", "Q4_K_M", "L40S", options)
    gain = (
        all_of_them.decode_aggregate_tokens_per_second.value
        / one.decode_aggregate_tokens_per_second.value
    )
    assert 3 < gain < 8
    assert all_of_them.slots == 8
    assert all_of_them.decode_tokens_per_second.value < one.decode_tokens_per_second.value


def test_experts_and_states_gain_least_from_slots() -> None:
    options = ServerOptions(slots=8, context_size=8 * 4096)

    def gain(model: str) -> float:
        many = speed(model, "Q4_K_M", "RTX 5090", options).decode_aggregate_tokens_per_second.value
        one = speed(model, "Q4_K_M", "RTX 5090", options, slots=1)
        return many / one.decode_aggregate_tokens_per_second.value

    assert gain("nemotron-3-nano-30b-a3b") < gain("qwen3-30b-a3b") < gain("llama-3.1-8b")


def test_a_further_card_adds_room_not_speed() -> None:
    one = speed("llama-3.1-8b", "Q4_K_M", "L40S", depth=4096)
    two = speed("llama-3.1-8b", "Q4_K_M", "L40S", depth=4096, cards=2)
    ratio = two.decode_tokens_per_second.value / one.decode_tokens_per_second.value
    assert 0.9 < ratio < 1.0
    faster = two.prefill_tokens_per_second.value / one.prefill_tokens_per_second.value
    assert 1.3 < faster < 1.7


def test_a_larger_physical_batch_reads_prompts_of_a_moe_faster() -> None:
    def prefill(ubatch: int) -> float:
        options = ServerOptions(slots=1, context_size=8192, ubatch_size=ubatch)
        found = speed("qwen3-30b-a3b", "Q4_K_M", "RTX 5090", options, depth=8192)
        return found.prefill_tokens_per_second.value

    assert prefill(2048) > 1.3 * prefill(512)


def test_first_token_is_the_prompt_and_a_step() -> None:
    found = speed("llama-3.1-8b", "Q4_K_M", "RTX 4090", depth=8192)
    prompt = 8192 / found.prefill_tokens_per_second.value
    step = 1 / found.decode_tokens_per_second.value
    assert found.first_token_seconds.value == pytest.approx(prompt + step)
    assert found.first_token_seconds.low < found.first_token_seconds.value
    assert found.load_seconds.value > 3


def test_a_cpu_server_has_an_estimate_too() -> None:
    options = ServerOptions(slots=1, context_size=4096)
    found = speed("llama-3.2-1b", "Q8_0", "L4", options, cards=0, host=DDR5_4800)
    assert 10 < found.decode_tokens_per_second.value < 60
    assert found.decode_tokens_per_second.basis is SpeedBasis.DEFAULT
    assert found.prefill_tokens_per_second.value > found.decode_tokens_per_second.value


def test_more_memory_bandwidth_helps_layers_on_the_cpu() -> None:
    options = ServerOptions(slots=1, context_size=4096, gpu_layers=20)
    usual = speed("qwen3.5-27b", "Q4_K_M", "RTX 4060 Laptop", options)
    server = speed("qwen3.5-27b", "Q4_K_M", "RTX 4060 Laptop", options, host=8 * 38_400_000_000)
    assert server.decode_tokens_per_second.value > 2 * usual.decode_tokens_per_second.value
    assert any("memory bandwidth of the node unknown" in note for note in usual.notes)
    assert server.notes == ()


def test_bands_widen_with_what_is_not_known() -> None:
    def width(found: SpeedEstimate) -> float:
        figure = found.decode_tokens_per_second
        return (figure.high - figure.low) / figure.value

    known, unknown = (
        speed("llama-3.1-8b", "Q4_K_M", "RTX 4090"),
        speed("llama-3.1-8b", "Q4_K_M", "L4"),
    )
    assert known.decode_tokens_per_second.basis is SpeedBasis.CALIBRATED
    assert unknown.decode_tokens_per_second.basis is SpeedBasis.DEFAULT
    options = ServerOptions(slots=4, context_size=16384)
    several = speed("llama-3.1-8b", "Q4_K_M", "RTX 4090", options)
    measured = speed(
        "llama-3.1-8b",
        "Q4_K_M",
        "RTX 4090",
        options,
        calibration=Calibration(
            "RTX 4090", "llama-3.1-8b", "b11434", decode=Factors(1.0, 1.0, ((1, 1.0), (4, 1.0)), 2)
        ),
    )
    assert width(measured) < width(known) < width(unknown)
    assert width(known) < width(several)
    assert measured.decode_tokens_per_second.basis is SpeedBasis.MEASURED
    assert measured.prefill_tokens_per_second.basis is SpeedBasis.CALIBRATED


def test_calibration_scales_the_estimate() -> None:
    half = Calibration("RTX 4090", "llama-3.1-8b", "b11434", decode=Factors(2.0, 2.0, (), 1))
    assert decode("llama-3.1-8b", "Q4_K_M", "RTX 4090", calibration=half) == pytest.approx(
        decode("llama-3.1-8b", "Q4_K_M", "RTX 4090") / 2
    )


@pytest.mark.parametrize(
    ("depth", "slots", "codes"),
    [(16385, 1, ["P1003"]), (-1, 2, ["P1003", "P1004"]), (0, 0, ["P1004"])],
)
def test_impossible_depths_and_slots_are_refused(depth: int, slots: int, codes: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        speed("llama-3.1-8b", "Q4_K_M", "RTX 4090", depth=depth, slots=slots)
    assert [problem.code for problem in caught.value.problems] == codes


def test_an_estimate_takes_less_than_a_millisecond() -> None:
    model, gpu = load_model_file("qwen3.5-122b-a10b", "Q4_K_M"), find_gpu("H100 SXM")
    options = ServerOptions(slots=4, context_size=32768)
    cards = (Card(gpu.name, gpu.allocatable_bytes),) * 2
    memory = estimate_memory(model, options, cards)
    estimate_speed(model, options, (gpu, gpu), memory, depth=1000)
    start = time.process_time()
    for depth in range(200):
        estimate_speed(model, options, (gpu, gpu), memory, depth=depth)
    assert (time.process_time() - start) / 200 < 1e-3


def test_a_short_prompt_does_not_fill_a_pipeline() -> None:
    def gain(depth: int) -> float:
        one, four = (speed("llama-3.1-8b", "Q4_K_M", "L40S", depth=depth, cards=c) for c in (1, 4))
        return four.prefill_tokens_per_second.value / one.prefill_tokens_per_second.value

    assert gain(512) < 1.02 < gain(2048) < gain(16384) < 4


def test_the_cpu_computes_many_slots_as_slowly_as_a_prompt() -> None:
    options = ServerOptions(slots=64, context_size=65536)
    one = speed("llama-3.1-8b", "Q4_K_M", "L40S", options, slots=1, cards=0)
    many = speed("llama-3.1-8b", "Q4_K_M", "L40S", options, slots=64, cards=0)
    every = many.decode_aggregate_tokens_per_second.value
    assert every > 2 * one.decode_aggregate_tokens_per_second.value
    assert every < 1.1 * many.prefill_tokens_per_second.value
    # The limit is that of the specified bandwidth, of which the CPU reaches a part.
    assert one.decode_tokens_per_second.value < 0.6 * one.bandwidth_limit_tokens_per_second
