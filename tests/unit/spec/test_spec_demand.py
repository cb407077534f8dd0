"""Demand, goals, speculation, quality floors and bands in a fleet file."""

from pathlib import Path

import pytest

from packer.catalogue.gpus import find_gpu
from packer.catalogue.models import find_model, load_model_file
from packer.domain.demand import CachePool, PartialOffload
from packer.domain.speculation import NO_SPECULATION, Drafter
from packer.domain.workload import Fleet, Workload
from packer.errors import InvalidInput, Problem
from packer.performance.request_mix import mean_of, quantile_of
from packer.spec.fleet_file import read_fleet
from packer.spec.lookups import Lookups
from tests.spec_lookups import LOOKUPS

HEAD = """\
apiVersion: gpu-packer/v1
kind: Fleet
metadata: {name: company}
serverImage: {image: "llama:server-b11434"}
workloads:
- name: chat
  model: catalogue:llama-3.1-8b
  quantizations: [Q8_0, Q4_K_M]
  context: 16Ki
"""
DEMAND = """\
  demand:
    requestsPerSecond: 2.5
    inputTokens: {p50: 1000, p95: 3000}
    outputTokens: {p50: 100, p95: 400}
"""
CATALOGUE = Lookups(
    gpu=find_gpu,
    gpu_family=lambda name: (),
    model_file=LOOKUPS.model_file,
    catalogue_quantizations=lambda name: find_model(name).quantizations,
    catalogue_file=lambda name, quantization: load_model_file(find_model(name).id, quantization),
)


def fleet(text: str, file: str = "fleet.yaml") -> Fleet:
    return read_fleet(text, file, CATALOGUE, (find_gpu("L40S"), find_gpu("H100 SXM")))


def chat(more: str) -> Workload:
    return fleet(HEAD + more).workloads[0]


def problem(more: str) -> Problem:
    with pytest.raises(InvalidInput) as caught:
        fleet(HEAD + more)
    (found,) = caught.value.problems
    return found


def test_without_new_keys_nothing_is_derived() -> None:
    one = chat("  slots: 4\n")
    assert (one.demand, one.derives_slots, one.derives_replicas) == (None, False, False)
    assert not one.has_speed_wishes


def test_a_stated_demand_has_the_quantiles_that_were_stated() -> None:
    one = chat(DEMAND)
    assert one.demand is not None
    assert one.derives_slots
    assert one.derives_replicas
    assert one.demand.requests_per_second == 2.5
    mix = one.demand.mix
    assert sum(each.weight for each in mix) == pytest.approx(1.0)
    assert quantile_of(mix, lambda each: each.input_tokens, 0.5) == pytest.approx(1000, rel=0.05)
    assert quantile_of(mix, lambda each: each.output_tokens, 0.95) == pytest.approx(400, rel=0.06)
    product = mean_of(mix, lambda each: each.input_tokens * each.output_tokens)
    apart = mean_of(mix, lambda e: e.input_tokens) * mean_of(mix, lambda e: e.output_tokens)
    assert product == pytest.approx(apart, rel=0.1), "prompts and answers are independent"


def test_stated_slots_and_replicas_stay() -> None:
    one = chat(DEMAND + "  slots: 4\n  replicas: 3\n")
    assert not one.derives_slots
    assert not one.derives_replicas


def test_a_trace_is_read_beside_the_fleet_file(tmp_path: Path) -> None:
    rows = "".join(f"{second * 500},{1000 + second},100\n" for second in range(600))
    (tmp_path / "day.csv").write_text("timestamp,input_length,output_length\n" + rows)
    text = HEAD + "  demand: {trace: day.csv, scale: 2}\n"
    (one,) = fleet(text, str(tmp_path / "fleet.yaml")).workloads
    assert one.demand is not None
    assert one.demand.requests_per_second == pytest.approx(4.0, rel=0.02)
    assert one.demand.origin == "day.csv"


def test_a_wrong_trace_is_named_in_the_fleet_file_or_at_its_own_line(tmp_path: Path) -> None:
    text = HEAD + "  demand: {trace: day.csv}\n"
    with pytest.raises(InvalidInput) as caught:
        fleet(text, str(tmp_path / "fleet.yaml"))
    (absent,) = caught.value.problems
    assert (absent.code, absent.where and absent.where.line) == ("P1101", 10)
    (tmp_path / "day.csv").write_text("timestamp,input_length,output_length\n9,1,1\n5,1,1\n")
    with pytest.raises(InvalidInput) as caught:
        fleet(text, str(tmp_path / "fleet.yaml"))
    (unordered,) = caught.value.problems
    assert (unordered.code, unordered.where and unordered.where.line) == ("P1104", 3)


def test_other_wishes_are_read() -> None:
    one = chat(
        DEMAND
        + "  kv: shared\n  kvQuantile: 0.99\n  fidelity: high\n  minBitsPerWeight: 4.5\n"
        + "  partialOffload: experts\n  goals: {decodeTokensPerSecond: 20}\n"
        + "  cacheTypes: [q8_0, q4_0]\n"
    )
    assert (one.cache_pool, one.cache_pool_quantile) == (CachePool.SHARED, 0.99)
    assert one.kv_unified
    assert one.is_high_fidelity
    assert one.min_bits_per_weight == 4.5
    assert one.partial_offload is PartialOffload.EXPERTS
    assert one.goals.decode_tokens_per_second == 20


def test_speculation_takes_what_the_files_can() -> None:
    mtp = HEAD.replace("llama-3.1-8b", "qwen3.5-27b-mtp").replace("Q8_0, Q4_K_M", "Q4_K_M")
    (one,) = fleet(mtp + "  speculation: {acceptance: 0.75, depths: [1, 4]}\n").workloads
    found = [(each.drafter, each.depth) for each in one.speculations]
    assert (Drafter.NONE, 0) in found
    assert (Drafter.MTP, 1) in found
    assert (Drafter.MTP, 4) in found
    assert Drafter.DRAFT not in [drafter for drafter, _ in found], "there is no draft model"
    assert {each.acceptance for each in one.speculations if each.depth} == {0.75}
    assert chat("  speculation: {allow: [none]}\n").speculations == (NO_SPECULATION,)


def test_bands_become_workloads_and_split_the_demand() -> None:
    text = HEAD.replace("  context: 16Ki\n", "") + DEMAND
    text += "  bands: [{context: 2Ki}, {context: 32Ki, cacheTypes: [q8_0]}]\n"
    text += "- {name: other, model: llama-3.1-8b, quantizations: [Q4_K_M], context: 4Ki}\n"
    text += "keepApart: [[chat, other]]\n"
    read = fleet(text)
    short, long, _ = read.workloads
    assert [short.name, long.name] == ["chat-2k", "chat-32k"]
    assert short.band is not None
    assert long.band is not None
    assert short.band.route == long.band.route == "chat"
    assert short.band.max_prompt_tokens == long.band.above_prompt_tokens
    assert long.cache_types == ("q8_0",)
    assert short.demand is not None
    assert long.demand is not None
    rates = short.demand.requests_per_second + long.demand.requests_per_second
    assert rates == pytest.approx(2.5)
    assert max(e.input_tokens for e in short.demand.mix) <= short.band.max_prompt_tokens
    assert read.keep_apart == (("chat-2k", "other"), ("chat-32k", "other"))


CASES = [
    # lines after the workload's context: code, line, column, part of why or help
    ("  demand: {requestsPerSecond: 2}\n", "P1106", 10, 11, "name a trace"),
    (DEMAND + "    trace: a.csv\n", "P1106", 11, 5, "say the same again"),
    (DEMAND + "    scale: 2\n", "P1106", 14, 12, "no trace"),
    (DEMAND.replace("3000", "300"), "P1108", 12, 35, "longer than 1000"),
    (DEMAND.replace("2.5", "-1"), "P0107", 11, 24, "at least"),
    (DEMAND.replace("2.5", "'2.5'"), "P0106", 11, 24, "a number is needed"),
    ("  kv: shared\n", "P1107", 10, 7, "add demand:"),
    ("  fidelity: high\n  cacheTypes: [q4_0]\n", "P1109", 11, 15, "add q8_0"),
    ("  minBitsPerWeight: 12\n", "P1109", 10, 21, "the finest has"),
    ("  speculation: {acceptance: 1.5}\n", "P0107", 10, 29, "at most 1"),
    ("  speculation: {acceptance: -0.1}\n", "P0107", 10, 29, "at least 0"),
    ("  speculation: {allow: [none, mtp]}\n", "P1111", 10, 31, "no nextn blocks"),
    ("  speculation: {allow: [draft]}\n", "P1111", 10, 25, "draft: is missing"),
    ("  goals: {firstTokenSeconds: {p95: 1}}\n", "P1112", 10, 30, "add demand:"),
    ("  goals: {decodeTokensPerSecond: 5000}\n", "P1105", 10, 34, "GB/s ÷"),
    (
        DEMAND + "  goals: {firstTokenSeconds: {p95: 0.0001}}\n",
        "P1105",
        14,
        36,
        "every weight must be read once",
    ),
    ("  bands: [{context: 8Ki}, {context: 4Ki}]\n", "P1110", 10, 37, "shortest"),
    ("  bands: [{context: 8Ki}]\n", "P0107", 10, 10, "at least 2"),
    (
        "  bands: [{context: 8Ki, promptTokens: 8Ki}, {context: 16Ki}]\n",
        "P1110",
        10,
        40,
        "8192 tokens",
    ),
    ("  embedding: true\n" + DEMAND, "P1113", 12, 5, "no decode steps"),
]


@pytest.mark.parametrize(("more", "code", "line", "column", "words"), CASES)
def test_one_problem_at_its_place(more: str, code: str, line: int, column: int, words: str) -> None:
    found = problem(more)
    where = found.where
    assert where is not None
    assert (found.code, where.line, where.column) == (code, line, column), str(found)
    assert words in f"{found.why} {found.help}", str(found)
    assert where.source_line


def test_an_impossible_goal_names_the_fastest_card_and_its_division() -> None:
    found = problem("  goals: {decodeTokensPerSecond: 5000}\n")
    assert "H100 SXM: 3350 GB/s ÷ 4." in found.why, "the smaller file on the faster card"
    assert "or less" in found.help


def test_drafts_raise_what_is_possible() -> None:
    mtp = HEAD.replace("llama-3.1-8b", "qwen3.5-27b-mtp").replace("Q8_0, Q4_K_M", "Q4_K_M")
    goal = "  goals: {decodeTokensPerSecond: 500}\n"
    with pytest.raises(InvalidInput):
        fleet(mtp + goal)
    assert fleet(mtp + goal + "  speculation: {depths: [3]}\n").workloads
