"""Lines of a batch: cards, a tab, a command line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packer.errors import InvalidInput
from packer.llamacpp.batch_lines import BatchLine, read_batch_line
from packer.memory.result import Card
from packer.units import MIB


def test_cards_with_and_without_free_memory() -> None:
    line = read_batch_line("81079:80000,24210\tllama-server -m 'a b.gguf' -c 4096\r\n", 1)
    assert line == BatchLine(
        cards=(
            Card("CUDA0", 81079 * MIB, 80000 * MIB),
            Card("CUDA1", 24210 * MIB, 24210 * MIB),
        ),
        argv=("llama-server", "-m", "a b.gguf", "-c", "4096"),
    )


def test_no_card() -> None:
    assert read_batch_line("\tllama-server -m a.gguf", 1).cards == ()


def test_variables_in_front_of_the_program() -> None:
    line = read_batch_line("24210\tLLAMA_ARG_CTX_SIZE=4096 X='a b' llama-server -m a.gguf", 1)
    assert line.environment == (("LLAMA_ARG_CTX_SIZE", "4096"), ("X", "a b"))
    assert line.argv == ("llama-server", "-m", "a.gguf")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "a tab must stand"),
        ("llama-server -m a.gguf", "a tab must stand"),
        ("24Gi\tllama-server", "total[:free] in MiB"),
        ("24210,\tllama-server", "total[:free] in MiB"),
        ("100:200\tllama-server", "total[:free] in MiB"),
        ("0\tllama-server", "total[:free] in MiB"),
        ("24210\t", "no command line follows"),
        ("24210\tA=1", "no command line follows"),
        ("24210\tllama-server 'x", "No closing quotation"),
    ],
)
def test_other_lines_are_refused_with_their_place(text: str, why: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read_batch_line(text, 7, "lines.tsv")
    (problem,) = raised.value.problems
    assert problem.code == "P0411"
    assert why in problem.why
    assert str(problem.where).startswith("lines.tsv:7:")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        line = read_batch_line(text, 1)
    except InvalidInput:
        return
    assert line.argv
