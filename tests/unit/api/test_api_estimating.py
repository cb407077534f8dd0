"""Literal command lines through the Python API: references, variables, batches."""

import json
import os
from pathlib import Path

import pytest

import packer
from packer import api
from packer.api import estimating
from packer.errors import InvalidInput, Unreachable
from packer.memory.result import Card
from packer.units import GIB, MIB
from tests.tiny_models import TinyShape, write_tiny_model

COMMAND = "llama-server -m tiny.gguf -c 4096 -np 2"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "tiny.gguf", TinyShape(layers=4))
    write_tiny_model(folder / "draft.gguf", TinyShape(layers=1))
    return folder


def _code(error: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def test_a_text_and_its_words_are_the_same_question(models: Path) -> None:
    by_text = packer.estimate_command(COMMAND, gpus="24576", models=models)
    by_words = packer.estimate_command(
        COMMAND.split(), gpus=[Card("CUDA0", 24 * GIB)], models=models
    )
    assert by_text == by_words == packer.estimate_command(COMMAND, gpus="24Gi", models=str(models))
    assert by_text == packer.estimate_command(COMMAND, gpus=[24576], models=models)
    assert by_text["fits"]


def test_without_a_card_there_are_no_devices_and_every_layer_is_on_the_host(models: Path) -> None:
    answer = packer.estimate_command(COMMAND, models=models)
    assert answer["devices"] == []
    assert answer["layers"] == [-1] * 5


def test_free_memory_splits_the_layers_where_no_split_is_given(models: Path) -> None:
    even = packer.estimate_command(COMMAND, gpus="81920,81920", models=models)
    uneven = packer.estimate_command(COMMAND, gpus="81920:20480,81920:61440", models=models)
    given = packer.estimate_command(f"{COMMAND} -ts 1,3", gpus="81920,81920", models=models)
    assert even["layers"] == [0, 0, 0, 1, 1]
    assert uneven["layers"] == given["layers"] == [0, 0, 1, 1, 1]
    assert uneven["devices"][0]["allocatable_bytes"] == 81920 * MIB


@pytest.mark.parametrize("size", [None, 200 * GIB])
def test_the_host_is_only_checked_if_its_size_is_known(models: Path, size: int | None) -> None:
    found = api.estimate_process(COMMAND.split(), (), models=models, host_bytes=size)
    assert found.fits
    assert not api.estimate_process(COMMAND.split(), (), models=models, host_bytes=GIB).fits


def test_draft_and_adapter_paths_are_relative_too(models: Path) -> None:
    command = f"{COMMAND} -md draft.gguf --spec-type draft-simple"
    answer = packer.estimate_command(command, gpus="24576", models=models)
    assert answer["devices"][0]["draft_weights_bytes"] > 0
    with pytest.raises(InvalidInput) as error:
        packer.estimate_command(f"{COMMAND} --lora missing.gguf", models=models)
    assert str(models / "missing.gguf") in str(error.value)


def test_variables_count_and_flags_win_over_them(models: Path) -> None:
    variables = {"LLAMA_ARG_CTX_SIZE": "8192", "LLAMA_ARG_N_PARALLEL": "1"}
    by_variable = packer.estimate_command(
        "llama-server -m tiny.gguf -np 2", models=models, environment=variables
    )
    in_front = packer.estimate_command(
        "LLAMA_ARG_CTX_SIZE=8192 llama-server -m tiny.gguf -np 2", models=models
    )
    assert by_variable == in_front
    assert (by_variable["n_ctx"], by_variable["n_slots"]) == (8192, 2)


def test_another_build_is_said(models: Path) -> None:
    known = packer.estimate_command(COMMAND, models=models, build="b11549")
    other = packer.estimate_command(COMMAND, models=models, build="b11500")
    assert (known["build"], other["build"]) == ("b11549", "b11500")
    unknown = "llama.cpp b11500 is not known by name; the flags of b11549 were used"
    assert not any("not known by name" in note for note in known["notes"])
    assert unknown in other["notes"]


@pytest.mark.parametrize("build", ["", "latest", "b", "b1.2", "b-1", "b" + "1" * 30])
def test_what_is_no_build_is_refused(models: Path, build: str) -> None:
    with pytest.raises(InvalidInput) as error:
        packer.estimate_command(COMMAND, models=models, build=build)
    assert _code(error) == ["P0490"]


def test_more_cards_than_llama_cpp_has_room_for(models: Path) -> None:
    assert (
        len(packer.estimate_command(COMMAND, gpus="8192," * 15 + "8192", models=models)["devices"])
        == 16
    )
    with pytest.raises(InvalidInput) as error:
        packer.estimate_command(COMMAND, gpus="8192," * 16 + "8192", models=models)
    assert _code(error) == ["P0487"]


def test_an_open_quotation_mark_is_refused(models: Path) -> None:
    with pytest.raises(InvalidInput) as error:
        packer.estimate_command("llama-server -m 'tiny.gguf", models=models)
    assert _code(error) == ["P0411"]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path / "tiny.gguf", TinyShape(layers=2))
    before = packer.estimate_command(COMMAND, models=tmp_path)
    write_tiny_model(path, TinyShape(layers=3))
    os.utime(path, ns=(1, 1))
    assert (
        len(packer.estimate_command(COMMAND, models=tmp_path)["layers"])
        == len(before["layers"]) + 1
    )


def test_a_batch_answers_every_line_in_order(models: Path) -> None:
    lines = [
        f"24576\t{COMMAND}",
        "",
        f"\t{COMMAND}",
        "no tab here",
        "24576\tllama-server -m missing.gguf",
        f"24576,\t{COMMAND}",
        f"81920:40960\tLLAMA_ARG_N_PARALLEL=3 llama-server -m {models / 'tiny.gguf'} -c 6144\r",
        "24576\tllama-fit-params -m tiny.gguf",
        "24576\tllama-server --nonsense\u2028\x0b\x85 -m 'x",
    ]
    answers = list(api.estimate_batch("\n".join(lines) + "\n", models=models))
    codes = [answer.get("error", {}).get("code", "") for answer in answers]
    assert codes == ["", "P0411", "", "P0411", "P0301", "P0411", "", "", "P0411"]
    assert answers[0] == packer.estimate_command(COMMAND, gpus="24576", models=models)
    assert answers[2]["devices"] == []
    assert answers[6]["n_slots"] == 3
    assert all(json.loads(json.dumps(answer)) == answer for answer in answers)


def test_a_batch_does_not_see_variables_of_this_process(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_ARG_N_PARALLEL", "7")
    (answer,) = api.estimate_batch("\tllama-server -m tiny.gguf", models=models)
    assert answer["n_slots"] == 4


@pytest.mark.parametrize("text", ["", "\n"])
def test_lines_are_counted_as_wc_does(text: str, models: Path) -> None:
    assert len(list(api.estimate_batch(text, models=models))) == text.count("\n")


def test_a_fault_of_ours_does_not_stop_a_batch(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = estimating.estimate_server

    def sometimes_broken(argv: list[str], *rest: object, **more: object) -> object:
        if "broken" in argv:
            raise ZeroDivisionError("impossible")
        if "far" in argv:
            raise Unreachable("no answer")
        return real(argv, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(estimating, "estimate_server", sometimes_broken)
    lines = ["\tllama-server broken", "\tllama-server far", f"\t{COMMAND}"]
    broken, far, fine = api.estimate_batch("\n".join(lines), models=models)
    assert broken == {"error": {"code": "internal", "message": "ZeroDivisionError: impossible"}}
    assert far == {"error": {"code": "unreachable", "message": "no answer"}}
    assert fine["n_slots"] == 2


def test_a_wrong_build_is_the_fault_of_the_whole_batch(models: Path) -> None:
    with pytest.raises(InvalidInput):
        next(api.estimate_batch(f"\t{COMMAND}", models=models, build="newest"))
