"""Everything a fleet file can get wrong: code, line and column, reason, help."""

import pytest

from packer.errors import InvalidInput, Problem
from packer.spec.fleet_file import read_fleet
from tests.spec_lookups import LOOKUPS

GOOD = """\
apiVersion: gpu-packer/v1
kind: Fleet
metadata: {name: company}
serverImage: {image: "llama:server-b11434", build: b11434}
objective: cards
defaults:
  cacheTypes: [f16, q8_0]
workloads:
- name: chat
  model: catalogue:llama-3.1-8b
  file: pvc://models/llama-{quantization}.gguf
  quantizations: [Q5_K_M, Q4_K_M]
  context: 16Ki
  slots: 8
  replicas: 2
- name: embed
  model: bge-m3
  quantizations: [F16]
  context: 8192
  gpus: {refuse: [L40]}
keepApart: [[chat, embed]]
"""


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        read_fleet(text, "fleet.yaml", LOOKUPS)
    return caught.value.problems


def test_the_text_that_the_cases_change_is_fine() -> None:
    assert len(read_fleet(GOOD, "fleet.yaml", LOOKUPS).workloads) == 2


CASES = [
    # what is written → by what it is replaced: code, line, column, part of why or help
    ("slots: 8", "slotz: 8", "P0104", 14, 3, "did you mean slots?"),
    ("slots: 8", "SLOTS: 8", "P0104", 14, 3, "did you mean slots?"),
    ("cacheTypes:", "cache_types:", "P0104", 7, 3, "did you mean cacheTypes?"),
    ("slots: 8", "throughput: {tokens: 2}", "P0104", 14, 3, "known keys: "),
    ("{refuse: [L40]}", "{refused: [L40]}", "P0104", 20, 10, "did you mean refuse?"),
    ("objective: cards", "fidelity: high", "P0104", 5, 1, "known keys: apiVersion"),
    ("slots: 8", "slots: 8\n  slots: 9", "P0111", 15, 3, "line 14"),
    ("16Ki", "24GB", "P0103", 13, 12, "GB is not a Kubernetes quantity"),
    ("16Ki", "16 Ki", "P0103", 13, 12, "not a Kubernetes quantity"),
    ("16Ki", "1.5", "P0103", 13, 12, "not a whole number"),
    ("16Ki", "500m", "P0103", 13, 12, "not a whole number"),
    ("16Ki", "[16]", "P0106", 13, 12, "a quantity is needed"),
    ("16Ki", "true", "P0106", 13, 12, "a quantity is needed"),
    ("16Ki", "-1", "P0107", 13, 12, "at least 1"),
    ("16Ki", "0", "P0107", 13, 12, "at least 1"),
    ("16Ki", "1Ei", "P0107", 13, 12, "at most 134217728"),
    ("16Ki", "1e99", "P0107", 13, 12, "at most 134217728"),
    ("slots: 8", "slots: -8", "P0107", 14, 10, "at least 1"),
    ("slots: 8", "slots: 257", "P0107", 14, 10, "at most 256"),
    ("slots: 8", "slots: 99999999999999999999999999", "P0107", 14, 10, "at most 256"),
    ("slots: 8", "slots: 8.0", "P0106", 14, 10, "a whole number is needed"),
    ("slots: 8", 'slots: "8"', "P0106", 14, 10, "without quotes"),
    ("slots: 8", "slots: true", "P0106", 14, 10, "a whole number is needed"),
    ("replicas: 2", "replicas: 10001", "P0107", 15, 13, "at most 10000"),
    ("replicas: 2", "kvUnified: yes", "P0106", 15, 14, "write true or false"),
    ("replicas: 2", "promptCache: -1", "P0107", 15, 16, "at least 0"),
    ("replicas: 2", "maxGpus: 17", "P0107", 15, 12, "at most 16"),
    ("replicas: 2", "spread: nodes", "P0108", 15, 11, "did you mean node?"),
    ("replicas: 2", "flashAttention: true", "P0108", 15, 19, "allowed: on, off, auto"),
    ("cards", "money", "P0108", 5, 12, "allowed: cards, price"),
    ("[f16, q8_0]", "[f16, q8]", "P0108", 7, 21, "did you mean q8_0?"),
    ("[f16, q8_0]", "f16", "P0106", 7, 15, "a list is needed"),
    ("[f16, q8_0]", "[]", "P0107", 7, 15, "at least 1 items"),
    ("[F16]", "[16]", "P0106", 18, 19, "text is needed"),
    ("[F16]", "['$(F16)']", "P0116", 18, 19, "letters, digits and _ . -"),
    ("{name: company}", "company", "P0106", 3, 11, "a mapping is needed"),
    ("{name: company}", "{name: Company}", "P0109", 3, 18, "only small letters"),
    ("{name: company}", "{name: " + "a" * 41 + "}", "P0109", 3, 18, "at most 40"),
    ("{name: company}", "{name: ../up}", "P0109", 3, 18, "only small letters"),
    ("- name: chat", "- name: 7b", "P0109", 9, 9, "it names a Service"),
    ("- name: chat", '- name: "chat\\n"', "P0109", 9, 9, "it names a Service"),
    ("- name: chat", '- name: "сhat"', "P0109", 9, 9, "it names a Service"),
    ("- name: chat", "- name: $(HOME)", "P0109", 9, 9, "it names a Service"),
    ("- name: chat\n  model", "- model", "P0105", 9, 3, "Name of the workload"),
    ("  model: bge-m3\n", "", "P0105", 16, 3, "catalogue:<id or alias>"),
    ("  context: 8192\n", "", "P0105", 16, 3, "write context: 16Ki"),
    ("context: 8192", "context:", "P0105", 19, 11, "write context: 16Ki"),
    ("metadata: {name: company}\n", "", "P0105", 1, 1, "Name of the fleet"),
    ("llama:server-b11434", "Llama:x", "P0116", 4, 22, "not an image reference"),
    ("build: b11434", "build: 11434", "P0106", 4, 52, "text is needed"),
    ("build: b11434", "build: master", "P0116", 4, 52, "b and a number"),
    ("build: b11434", "build: b9999", "P0216", 4, 52, "tag says b11434"),
    ('"llama:server-b11434", build: b11434', "llama", "P0216", 4, 14, "tag does not say"),
    ("Q4_K_M", "Q4_KM", "P0202", 12, 27, "did you mean Q4_K_M?"),
    ("Q4_K_M", "MXFP4", "P0202", 12, 27, "it has Q8_0, Q6_K"),
    ("  quantizations: [F16]\n", "", "P0203", 17, 10, "[F16, Q8_0], best first"),
    ("replicas: 2", "flashAttention: off", "P0204", 7, 21, "q8_0 is quantized"),
    ("8192", "8193", "P0205", 19, 12, "write context: 8192 or less"),
    ("[[chat, embed]]", "[[chat, embd]]", "P0206", 21, 20, "did you mean embed?"),
    ("[[chat, embed]]", "[[chat, zzz]]", "P0206", 21, 20, "workloads: chat, embed"),
    ("[[chat, embed]]", "[[chat]]", "P0107", 21, 13, "at least 2 items"),
    ("[[chat, embed]]", "[[chat, embed, chat]]", "P0209", 21, 27, "keepApart"),
    ("{quantization}", "Q4", "P0208", 11, 9, "put {quantization}"),
    ("{quantization}", "{quant}", "P0116", 11, 9, "only {quantization}"),
    ("pvc://models", "hf://org", "P0116", 11, 9, "begins with one of pvc://"),
    ("pvc://models/", "pvc://models/../", "P0116", 11, 9, "without .."),
    ("pvc://models/llama", "file:///llama", "P0116", 11, 9, "root directory"),
    ("pvc://models/", "pvc://models/$(X)", "P0116", 11, 9, "must look like pvc://"),
    ("pvc://models/", "pvc://models/a b", "P0116", 11, 9, "must look like pvc://"),
    ("catalogue:llama-3.1-8b", "hf://org/repo/file.gguf", "P0218", 10, 10, "download"),
    ("catalogue:llama-3.1-8b", "--version", "P0116", 10, 10, "a path, or a name"),
    ("catalogue:llama-3.1-8b", "nope", "P0902", 10, 10, "bge-m3"),
    ("Q5_K_M, Q4_K_M", "Q4_K_M, q4_k_m", "P0209", 12, 27, "order of preference"),
    ("[f16, q8_0]", "[f16, f16]", "P0209", 7, 21, "order of preference"),
    ("replicas: 2", "minAvailable: 2", "P0213", 15, 17, "2 of 1"),
    ("replicas: 2", "batchSize: 256", "P0214", 15, 14, "llama.cpp would cut 512"),
    ("{refuse: [L40]}", "{allow: [L40], refuse: [L40]}", "P0215", 20, 9, "nothing is left"),
    ("{refuse: [L40]}", "{refuse: [L400]}", "P0901", 20, 19, "L40S"),
    ("8192\n", "8192\n  embedding: true\n  reranking: true\n", "P0230", 21, 14, "two workloads"),
    ("replicas: 2", "projector: {model: bge-m3}", "P0231", 15, 22, "./mmproj.gguf"),
    ("replicas: 2", "draft: {model: qwen3-0.6b}", "P0203", 15, 18, "[Q8_0, Q4_K_M]"),
    ("replicas: 2", "draft: {model: bge-m3, quantization: Q1}", "P0202", 15, 40, "F16, Q8_0"),
    ("replicas: 2", "draft: {model: bge-m3, depth: 0}", "P0107", 15, 33, "at least 1"),
    ("gpu-packer/v1", "gpu-packer/v2", "P0113", 1, 13, "reads gpu-packer/v1"),
    ("apiVersion: gpu-packer/v1\n", "", "P0105", 1, 1, "write apiVersion"),
    ("kind: Fleet", "kind: Fleets", "P0114", 2, 7, "did you mean Fleet?"),
    ("kind: Fleet", "kind: Deployment", "P0114", 2, 7, "Fleet or Inventory"),
    ("kind: Fleet", "kind:", "P0105", 1, 1, "write kind: Fleet"),
    ("kind: Fleet", "kind: Inventory", "P0114", 2, 7, "it holds an Inventory"),
]


@pytest.mark.parametrize(("good", "bad", "code", "line", "column", "words"), CASES)
def test_one_problem_at_its_place(
    good: str, bad: str, code: str, line: int, column: int, words: str
) -> None:
    assert good in GOOD
    found = problems(GOOD.replace(good, bad, 1))
    shown = "\n\n".join(map(str, found))
    (problem,) = found
    where = problem.where
    assert where is not None
    assert (problem.code, where.line, where.column) == (code, line, column), shown
    assert words in f"{problem.why} {problem.help}", shown
    assert where.source_line, "the line is shown"


@pytest.mark.parametrize(
    ("good", "bad", "places"),
    [
        ("- name: embed", "- name: chat", [("P0201", 16, 9), ("P0206", 21, 20)]),
        ("[[chat, embed]]", "[chat, embed]", [("P0106", 21, 13), ("P0106", 21, 19)]),
        ("catalogue:llama-3.1-8b", "m-{quantization}.gguf", [("P0210", 10, 10)] * 2),
    ],
)
def test_one_mistake_that_breaks_two_things(
    good: str, bad: str, places: list[tuple[str, int, int]]
) -> None:
    found = problems(GOOD.replace(good, bad, 1))
    at = [(one.code, one.where.line, one.where.column) for one in found if one.where]
    assert at == places


def test_a_repeated_name_tells_the_line_of_the_first() -> None:
    found = problems(GOOD.replace("- name: embed", "- name: chat"))
    assert found[0].why == "first given in line 9"


def test_the_frame_of_an_error() -> None:
    (problem,) = problems(GOOD.replace("16Ki", "24GB"))
    assert str(problem) == (
        "error[P0103]: workloads[0].context has no unit this tool accepts\n"
        "  --> fleet.yaml:13:12\n"
        "    |\n"
        " 13 |   context: 24GB\n"
        "    |            ^^^^ GB is not a Kubernetes quantity\n"
        "   = help: write 24Gi (25769803776 bytes) or 24G (24000000000 bytes)"
    )


def test_all_problems_come_at_once_in_file_order() -> None:
    text = GOOD
    for good, bad in [
        ("16Ki", "24GB"),
        ("slots: 8", "slots: -8"),
        ("[f16, q8_0]", "[q9]"),
        ("name: embed", "name: Embed"),
        ("objective", "objektive"),
        ("8192", "eight"),
    ]:
        text = text.replace(good, bad, 1)
    found = [(one.code, one.where.line) for one in problems(text) if one.where]
    assert found == [
        ("P0104", 5),
        ("P0108", 7),
        ("P0103", 13),
        ("P0107", 14),
        ("P0109", 16),
        ("P0103", 19),
    ]


def test_all_problems_of_meaning_come_at_once_in_file_order() -> None:
    text = GOOD
    for good, bad in [
        ("Q4_K_M", "Q9"),
        ("replicas: 2", "minAvailable: 7"),
        ("8192", "9Ki"),
        ("[L40]", "[L400]"),
        ("embed]]", "embd]]"),
    ]:
        text = text.replace(good, bad, 1)
    codes = [one.code for one in problems(text)]
    assert codes == ["P0202", "P0213", "P0205", "P0901", "P0206"]


def test_too_many_cells_for_all_slots_together() -> None:
    big = GOOD.replace("catalogue:llama-3.1-8b", "bge-m3").replace("Q5_K_M, Q4_K_M", "F16")
    found = problems(big.replace("16Ki", "128Mi").replace("slots: 8", "slots: 256"))
    assert [one.code for one in found] == ["P0205", "P0217"]
    assert "34359738368 cells" in found[1].why


def test_the_same_mistake_of_the_defaults_is_told_once() -> None:
    text = GOOD.replace("  cacheTypes: [f16, q8_0]", "  gpus: {refuse: [L400]}")
    text = text.replace("  gpus: {refuse: [L40]}\n", "")
    assert [one.code for one in problems(text)] == ["P0901"]


@pytest.mark.parametrize(
    ("together", "pairs"),
    [
        ("[[chat, embed]]", [("chat", "embed")]),
        ("[[chat, a], [a, embed]]", [("chat", "embed")]),
        ("[[a, b], [chat, a], [b, embed]]", [("chat", "embed")]),
        ("[[chat, a], [b, embed]]", []),
    ],
)
def test_groups_that_contradict_each_other(together: str, pairs: list[tuple[str, str]]) -> None:
    more = "".join(
        f"- {{name: {name}, model: bge-m3, quantizations: [F16], context: 1}}\n" for name in "ab"
    )
    text = GOOD.replace("keepApart", more + "keepApart") + f"keepTogether: {together}\n"
    if not pairs:
        assert read_fleet(text, "f", LOOKUPS).keep_together
        return
    found = problems(text)
    assert [one.code for one in found] == ["P0207"] * len(pairs)
    assert [one.title for one in found] == [
        f"{one} and {other} cannot be apart and together" for one, other in pairs
    ]


def test_a_wall_of_problems_is_cut() -> None:
    items = "\n".join("- {name: W, model: 1, context: 24GB}" for _ in range(300))
    found = problems(GOOD.partition("- name")[0] + items)
    assert len(found) == 101
    assert found[-1].code == "P0118"
    assert found[-1].title == "800 more problems are not shown"


def test_a_wall_of_problems_of_meaning_is_cut() -> None:
    item = "- {name: w, model: nope, quantizations: [F16], context: 1}\n"
    found = problems(GOOD.partition("- name")[0] + item * 300)
    assert (len(found), found[-1].code) == (101, "P0118")
    assert found[-1].title == "more problems are not shown"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "P0115"),
        ("# nothing\n---\n", "P0115"),
        ("- a\n", "P0106"),
        ("hello\n", "P0106"),
        ("7", "P0106"),
        (GOOD + "---\n" + GOOD, "P0117"),
        (GOOD + "---\n- a\n", "P0106"),
        (b"\xff\xfe", "P0102"),
    ],
)
def test_files_that_hold_no_single_fleet(text: str | bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_fleet(text, "fleet.yaml", LOOKUPS)
    assert [one.code for one in caught.value.problems] == [code]


def test_json_works_as_well() -> None:
    text = """{"apiVersion": "gpu-packer/v1", "kind": "Fleet", "metadata": {"name": "f"},
    "serverImage": {"image": "llama:b11434"}, "workloads": [{"name": "w", "model": "bge-m3",
    "quantizations": ["F16"], "context": 8193}]}"""
    (problem,) = problems(text)
    assert (problem.code, problem.where and problem.where.line) == ("P0205", 3)
