"""Any command line: the order of its flags does not matter, and no value is a bug of ours."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packer import estimate_batch, estimate_command
from packer.errors import InvalidInput
from tests.tiny_models import TinyShape, write_tiny_model

CARDS = ("", "24576", "8192,24576", "81920:40960,24576:23000,24576")
SHAPES = ("llama", "gemma3", "qwen3moe")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in SHAPES:
        write_tiny_model(folder / f"{name}.gguf", TinyShape(architecture=name, layers=5))
    return folder


def _flags() -> st.SearchStrategy[list[list[str]]]:
    """Groups of a flag with its value, each flag at most once."""
    values: dict[str, st.SearchStrategy[str | None]] = {
        "-m": st.sampled_from([f"{name}.gguf" for name in SHAPES]),
        "-c": st.sampled_from(["0", "512", "4096", "5000", "16384"]),
        "-np": st.sampled_from(["1", "2", "3", "-1"]),
        "-b": st.sampled_from(["64", "2048"]),
        "-ub": st.sampled_from(["32", "512", "0"]),
        "-ngl": st.sampled_from(["0", "3", "99", "auto"]),
        "-ts": st.sampled_from(["1", "3,1", "0,1", "1,1,1"]),
        "-sm": st.sampled_from(["layer", "none"]),
        "-mg": st.sampled_from(["0", "1"]),
        "-ctk": st.sampled_from(["f16", "q8_0", "bf16"]),
        "-ctv": st.sampled_from(["f16", "q8_0"]),
        "-fa": st.sampled_from(["on", "off", "auto"]),
        "-ot": st.sampled_from([r"blk\.1\..*=CPU", "exps=CPU"]),
        "-ncmoe": st.sampled_from(["0", "2"]),
        "--cache-ram": st.sampled_from(["0", "-1", "512"]),
        "--load-mode": st.sampled_from(["mmap", "none"]),
        "--fit": st.sampled_from(["on", "off"]),
        "--threads": st.just("4"),
        "--alias": st.just("name"),
        "-nkvo": st.none(),
        "-kvu": st.none(),
        "-cmoe": st.none(),
        "--swa-full": st.none(),
        "--no-op-offload": st.none(),
        "--metrics": st.none(),
        "--embeddings": st.none(),
    }
    optional = {flag: value for flag, value in values.items() if flag != "-m"}
    chosen = st.fixed_dictionaries({"-m": values["-m"]}, optional=optional)
    return chosen.map(
        lambda given: [[flag] if value is None else [flag, value] for flag, value in given.items()]
    )


def _answer(groups: list[list[str]], gpus: str, models: Path) -> Any:
    """The object, or every problem it is refused for; places differ with the order."""
    words = ["llama-server", *(word for group in groups for word in group)]
    try:
        return estimate_command(words, gpus=gpus, models=models)
    except InvalidInput as error:
        return sorted((problem.code, problem.title) for problem in error.problems)


@settings(max_examples=60, deadline=None)
@given(groups=_flags(), gpus=st.sampled_from(CARDS), data=st.data())
def test_the_order_of_flags_does_not_matter(
    groups: list[list[str]], gpus: str, data: st.DataObject, models: Path
) -> None:
    shuffled = data.draw(st.permutations(groups))
    assert _answer(shuffled, gpus, models) == _answer(groups, gpus, models)


NUMBERS = st.sampled_from(
    [
        "0",
        "-1",
        "-2147483648",
        "2147483647",
        "4294967296",
        "1" * 30,
        "1e9",
        "nan",
        "0x10",
        "",
        " 7 ",
        "٣",
    ]
)
WORDS = st.one_of(
    NUMBERS,
    st.sampled_from(
        ["(", "(a+)+$=CPU", ".*=CUDA9", "a=b=c", ",", ",,", "1,,2", "CUDA0,CUDA0", "none", "../.."]
    ),
    st.text(max_size=12),
)
FLAGS = (
    "-c -np -b -ub -ngl -ts -sm -mg -dev -ctk -ctv -fa -ot -ncmoe --n-cpu-ffn --override-kv "
    "--pooling --load-mode --lora --cache-ram --ctx-checkpoints --spec-type --spec-draft-n-max "
    "-md -ngld -devd --kv-unified-per-slot --image-max-tokens --fit --rpc"
)


def _hostile_line() -> st.SearchStrategy[str]:
    pair = st.tuples(st.sampled_from(FLAGS.split()), WORDS.map(_quoted)).map(" ".join)
    gpus = st.one_of(st.sampled_from(CARDS), st.text("0123456789:,", max_size=12))
    name = st.sampled_from([*(f"{name}.gguf" for name in SHAPES), "gone.gguf", "."])
    return st.builds(
        lambda cards, model, pairs: f"{cards}\tllama-server -m {model} {' '.join(pairs)}",
        gpus,
        name,
        st.lists(pair, max_size=4),
    )


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "").replace("\n", "") + "'"


@settings(max_examples=150, deadline=None)
@given(lines=st.lists(st.one_of(_hostile_line(), st.text(max_size=30)), max_size=4))
def test_every_line_gets_an_answer_that_is_no_bug_of_ours(lines: list[str], models: Path) -> None:
    text = "".join(line.replace("\n", " ") + "\n" for line in lines)
    answers = list(estimate_batch(text, models=models))
    assert len(answers) == len(lines)
    for line, answer in zip(lines, answers, strict=True):
        assert answer.get("error", {}).get("code") != "internal", (line, answer)
        json.dumps(answer).encode()
