"""Cards as users write them: sizes, names, counts."""

import pytest

from packer.api.cards import (
    NamedCards,
    card_of,
    cards_by_name,
    cards_by_size,
    memory_bytes,
    read_gpus,
)
from packer.catalogue.gpus import find_gpu, gpu_products
from packer.errors import InvalidInput
from packer.memory.result import Card
from packer.units import GIB, MIB


def _codes(error: pytest.ExceptionInfo[InvalidInput]) -> list[str]:
    return [problem.code for problem in error.value.problems]


def test_sizes_are_cards_in_cuda_order() -> None:
    assert cards_by_size("80Gi, 24G:20Gi") == (
        Card("CUDA0", 80 * GIB, 80 * GIB),
        Card("CUDA1", 24 * 10**9, 20 * GIB),
    )


@pytest.mark.parametrize(
    "text",
    ["24GB", "24", "24576", "-1Gi", "0", "24Gi,", ",", "24Gi:25Gi", "24Gi:", "1.5", "∞", "١Gi"],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        cards_by_size(text)
    assert set(_codes(error)) == {"P0486"}


def test_every_wrong_size_is_named() -> None:
    with pytest.raises(InvalidInput) as error:
        cards_by_size("24GB,80Gi,much")
    assert len(error.value.problems) == 2


def test_a_bare_number_gets_its_unit_suggested() -> None:
    with pytest.raises(InvalidInput, match="write 24576Mi"):
        cards_by_size("24576")


def test_memory_of_a_host_may_be_small() -> None:
    assert memory_bytes("1Mi", "--host-memory") == MIB
    with pytest.raises(InvalidInput, match="--host-memory 'x' is not a size"):
        memory_bytes("x", "--host-memory")


def test_names_follow_the_rule_of_the_catalogue() -> None:
    found = cards_by_name(["nvidia-l40s", "rtx_4090:2, L40S"])
    assert [card.name for card in found.cards] == ["L40S", "RTX 4090", "RTX 4090", "L40S"]
    assert found.cards[0].allocatable_bytes == find_gpu("L40S").allocatable_bytes
    assert found.cards[0].compute_capability == "8.9"


def test_a_size_from_a_datasheet_is_said_once() -> None:
    guessed = next(p for p in gpu_products() if p.is_modelled and p.allocatable_basis != "exact")
    (note,) = cards_by_name([f"{guessed.name}:2"]).notes
    assert guessed.name in note
    assert cards_by_name(["L40S"]).notes == ()


@pytest.mark.parametrize("name", ["", ":2", "L40S:0", "L40S:-1", "L40S:x", "L40S:100", "L40S:"])
def test_what_names_no_card_is_refused(name: str) -> None:
    if name == "L40S:":
        assert len(cards_by_name([name]).cards) == 1
        return
    with pytest.raises(InvalidInput) as error:
        cards_by_name([name])
    assert _codes(error) == ["P0487"]


def test_every_wrong_name_is_named() -> None:
    with pytest.raises(InvalidInput) as error:
        cards_by_name(["L40S:0,nonsense", "H100"])
    assert _codes(error) == ["P0487", "P0901", "P0902"]


def test_cards_that_are_not_modelled_are_refused() -> None:
    for product in gpu_products():
        if product.is_modelled:
            assert card_of(product).allocatable_bytes == product.allocatable_bytes
        else:
            with pytest.raises(InvalidInput) as error:
                card_of(product)
            assert _codes(error) == ["P0520"]


def test_a_caller_may_give_cards_numbers_or_text() -> None:
    card = Card("CUDA0", 24 * GIB, 24 * GIB)
    assert read_gpus("24576") == read_gpus([24576]) == read_gpus("24Gi") == read_gpus([card])
    assert read_gpus("24576:20480").cards[0].free_bytes == 20 * GIB
    assert read_gpus("") == read_gpus([]) == read_gpus(" ") == NamedCards((), ())


@pytest.mark.parametrize("gpus", ["24576,", "20480:24576", "0", "1:2:3", "99999999999"])
def test_numbers_that_are_no_cards(gpus: str) -> None:
    with pytest.raises(InvalidInput) as error:
        read_gpus(gpus)
    assert _codes(error) == ["P0484"]
