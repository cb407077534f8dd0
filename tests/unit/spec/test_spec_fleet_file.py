"""A fleet file's text as a Fleet: values, defaults, variants, files on this machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from packer.domain.basis import Basis
from packer.domain.model import ModelFile
from packer.domain.workload import Fleet, Headroom, Objective, ServerImage, Spread, Workload
from packer.errors import InvalidInput, Location, Problem
from packer.spec.fleet_file import read_fleet
from tests.spec_lookups import LOOKUPS, without_trained_context

FLEET = Path("tests/data/spec/fleet.yaml")
HEAD = """\
apiVersion: gpu-packer/v1
kind: Fleet
metadata: {name: f}
serverImage: {image: "llama:server-b11434"}
"""


def read(workloads: str, file: str = "fleet.yaml") -> Fleet:
    return read_fleet(HEAD + "workloads:\n" + workloads, file, LOOKUPS)


def only(workload: str, file: str = "fleet.yaml") -> Workload:
    (read_one,) = read(workload, file).workloads
    return read_one


def problems(workloads: str, file: str = "fleet.yaml") -> tuple[Problem, ...]:
    with pytest.raises(InvalidInput) as caught:
        read(workloads, file)
    return caught.value.problems


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    return read_fleet(FLEET.read_bytes(), str(FLEET), LOOKUPS)


def test_the_whole_fleet(fleet: Fleet) -> None:
    assert fleet.name == "company"
    assert fleet.objective is Objective.PRICE
    image = "ghcr.io/ggml-org/llama.cpp:server-cuda-b11434"
    assert fleet.server_image == ServerImage(image, "b11434")
    assert fleet.headroom == Headroom(2**30, 3)
    assert fleet.keep_apart == (("chat", "embed"),)
    assert fleet.keep_together == ()


def test_a_workload_with_every_option(fleet: Fleet) -> None:
    chat = fleet.workloads[0]
    assert (chat.name, chat.model) == ("chat", "catalogue:Llama-3.1-8B-Instruct")
    assert (chat.context_per_slot, chat.slots, chat.kv_unified) == (16384, 8, True)
    assert (chat.replicas, chat.min_available, chat.spread) == (3, 2, Spread.NODE)
    assert (chat.max_gpus, chat.prompt_cache_bytes, chat.context_checkpoints) == (2, 0, 4)
    assert [(v.quantization, v.mount) for v in chat.variants] == [
        ("Q5_K_M", "pvc://models/llama-Q5_K_M.gguf"),
        ("Q4_K_M", "pvc://models/llama-q4_k_m.gguf"),
    ]
    assert chat.variants[0].model.origin == "catalogue:llama-3.1-8b:Q5_K_M"
    assert chat.variants[0].model.basis is Basis.ESTIMATED
    assert chat.draft is not None
    assert (chat.draft.depth, chat.draft.cache_type) == (5, "q8_0")
    assert chat.draft.variant.model.origin == "catalogue:qwen3-0.6b:Q8_0"


def test_defaults_hold_where_a_workload_says_nothing(fleet: Fleet) -> None:
    chat, embed = fleet.workloads
    assert (chat.cache_types, embed.cache_types) == (("f16", "q8_0"), ("f16",))
    assert (chat.slots, embed.slots) == (8, 4)
    assert (embed.flash_attention, embed.spread, embed.replicas) == ("on", Spread.NONE, 1)
    assert (embed.batch_size, embed.ubatch_size, embed.embedding) == (8192, 8192, True)


def test_gpu_families_are_spelt_out_and_a_workloads_choice_replaces_the_default(
    fleet: Fleet,
) -> None:
    chat, embed = fleet.workloads
    assert (chat.allowed_gpus, chat.refused_gpus) == ((), ("L40",))
    assert embed.allowed_gpus == ("H100 SXM", "H100 PCIe", "L40S")
    assert embed.refused_gpus == ("H100 SXM",)


def test_the_shortest_workload_takes_the_domains_defaults() -> None:
    workload = only("- {name: w, model: bge-m3, quantizations: [F16], context: 512}")
    expected = Workload("w", "bge-m3", workload.variants, 512)
    assert workload == expected


def test_a_file_here_needs_no_quantization_and_is_exact(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_text("4096")
    workload = only("- {name: w, model: ./m.gguf, context: 4Ki}", f"{tmp_path}/fleet.yaml")
    (variant,) = workload.variants
    assert (variant.quantization, variant.mount) == ("file", "")
    assert variant.model.basis is Basis.EXACT
    assert variant.model.origin == f"{tmp_path}/m.gguf"


def test_one_file_per_quantization(tmp_path: Path) -> None:
    for name in ("Q8_0", "Q4_0"):
        (tmp_path / f"m-{name}.gguf").write_text("4096")
    text = '- {name: w, model: "m-{quantization}.gguf", quantizations: [Q8_0, Q4_0], context: 1}'
    workload = only(text, f"{tmp_path}/fleet.yaml")
    assert [variant.model.name for variant in workload.variants] == ["m-Q8_0.gguf", "m-Q4_0.gguf"]


@pytest.mark.parametrize("uri", [False, True])
def test_a_readable_mounted_file_replaces_the_catalogues_sizes(tmp_path: Path, uri: bool) -> None:
    path = tmp_path / "bge-UD-Q3.gguf"
    path.write_text("2048")
    file = f"file://{path}" if uri else "bge-UD-Q3.gguf"
    # The file's own header counts, so its quantization need not be in the catalogue.
    text = f"- {{name: w, model: bge-m3, file: {file}, quantizations: [UD-Q3], context: 2048}}"
    (variant,) = only(text, f"{tmp_path}/fleet.yaml").variants
    assert (variant.quantization, variant.model.basis) == ("UD-Q3", Basis.EXACT)
    assert variant.mount == f"file://{path}"


def test_a_host_path_that_is_not_here_leaves_the_catalogues_sizes() -> None:
    text = "- {name: w, model: bge-m3, file: file:///no/m.gguf, quantizations: [F16], context: 1}"
    (variant,) = only(text).variants
    assert (variant.mount, variant.model.basis) == ("file:///no/m.gguf", Basis.ESTIMATED)


def test_a_projector_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "mmproj.gguf").write_text("1")
    text = """\
- name: w
  model: bge-m3
  quantizations: [F16]
  context: 1
  projector: {model: ./mmproj.gguf, file: "pvc://m/mmproj.gguf"}
"""
    projector = only(text, f"{tmp_path}/fleet.yaml").projector
    assert projector is not None
    assert (projector.model.name, projector.mount) == ("mmproj.gguf", "pvc://m/mmproj.gguf")


def test_a_model_without_trained_context_has_no_limit() -> None:
    text = HEAD + "workloads:\n- {name: w, model: bge-m3, quantizations: [F16], context: 1Mi}"
    fleet = read_fleet(text, "f", without_trained_context())
    assert fleet.workloads[0].context_per_slot == 2**20


def test_a_misspelt_file_gets_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "llama-Q4.gguf").write_text("4096")
    (problem,) = problems("- {name: w, model: ./lama-Q4.gguf, context: 1}", f"{tmp_path}/f.yaml")
    assert (problem.code, problem.help) == ("P0210", "did you mean llama-Q4.gguf?")
    assert problem.where is not None
    assert (problem.where.line, problem.where.column) == (6, 20)


def test_a_missing_folder_is_named() -> None:
    (problem,) = problems("- {name: w, model: /no/such/m.gguf, context: 1}")
    assert (problem.code, problem.why) == ("P0210", "there is no folder /no/such")


def test_a_file_name_longer_than_the_system_takes(tmp_path: Path) -> None:
    text = f"- {{name: w, model: {'a' * 300}.gguf, context: 1}}"
    (problem,) = problems(text, f"{tmp_path}/f.yaml")
    assert problem.code == "P0210"


def test_a_problem_with_its_own_place_says_who_named_the_file() -> None:
    def model_file(path: Path) -> ModelFile:
        raise InvalidInput(Problem("P0301", "truncated", Location(str(path)), "it ends early"))

    lookups = replace(LOOKUPS, model_file=model_file)
    text = HEAD + "workloads: [{name: w, model: ./tests/data/spec/fleet.yaml, context: 1}]"
    with pytest.raises(InvalidInput) as caught:
        read_fleet(text, "fleet.yaml", lookups)
    (problem,) = caught.value.problems
    assert str(problem.where) == "tests/data/spec/fleet.yaml"
    assert problem.why == "it ends early (named at fleet.yaml:5:30)"


def test_an_unreadable_file_is_told_with_the_systems_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.gguf").write_text("1")

    def denied(self: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    (problem,) = problems("- {name: w, model: m.gguf, context: 1}", f"{tmp_path}/f.yaml")
    assert (problem.code, problem.why) == ("P0229", "Permission denied")


def test_a_file_that_is_no_model_is_told_at_the_key_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_text("junk")
    text = "- {name: w, model: bge-m3, file: ./m.gguf, quantizations: [F16], context: 1}"
    (problem,) = problems(text, f"{tmp_path}/f.yaml")
    assert problem.code == "P0301"
    assert problem.where is not None
    assert problem.where.column == text.index("./m.gguf") + 1


def test_a_path_that_no_pod_can_mount(tmp_path: Path) -> None:
    (tmp_path / "a b.gguf").write_text("1")
    text = "- {name: w, model: bge-m3, file: ./a b.gguf, quantizations: [F16], context: 1}"
    (problem,) = problems(text, f"{tmp_path}/f.yaml")
    assert problem.code == "P0219"


@pytest.mark.parametrize(
    ("image", "build", "found"),
    [
        ("llama:server-b11434", "", "b11434"),
        ("llama:server-b11434@sha256:" + "a" * 64, "", "b11434"),
        ("llama:latest", "b11000", "b11000"),
        ("host:5000/b1234/llama:b11434-cuda", "b11434", "b11434"),
    ],
)
def test_the_build_is_said_or_read_from_the_tag(image: str, build: str, found: str) -> None:
    said = f", build: {build}" if build else ""
    text = HEAD.replace('{image: "llama:server-b11434"}', f'{{image: "{image}"{said}}}')
    text += "workloads: [{name: w, model: bge-m3, quantizations: [F16], context: 1}]"
    assert read_fleet(text, "f", LOOKUPS).server_image.build == found


def test_each_header_is_read_once() -> None:
    read_names: list[str] = []

    def catalogue_file(name: str, quantization: str) -> ModelFile:
        read_names.append(f"{name}:{quantization}")
        return LOOKUPS.catalogue_file(name, quantization)

    items = "\n".join(
        f"- {{name: w{index}, model: bge-m3, quantizations: [F16, Q8_0], context: 1}}"
        for index in range(20)
    )
    lookups = replace(LOOKUPS, catalogue_file=catalogue_file)
    assert len(read_fleet(f"{HEAD}workloads:\n{items}", "f", lookups).workloads) == 20
    assert read_names == ["bge-m3:F16", "bge-m3:Q8_0"]
