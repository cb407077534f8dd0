"""Whether to draft: the rule that fails, and the way that wins."""

import pytest

from packer.catalogue.gpus import find_gpu
from packer.catalogue.models import find_model, load_model_file
from packer.domain.server_options import ServerOptions
from packer.domain.speculation import NO_SPECULATION, Drafter, Speculation
from packer.errors import InvalidInput
from packer.performance.server_work import ServerWork, server_work
from packer.performance.speculation_choice import (
    SpeculationRule,
    SpeculationVerdict,
    choose_speculation,
    judge_speculation,
)

MTP = [Speculation(Drafter.MTP, depth, 0.8) for depth in (1, 2, 3)]


def work(name: str, card: str = "RTX 4090", on_card: int | None = None) -> ServerWork:
    model = load_model_file(find_model(name).id, "Q4_K_M")
    count = model.number("block_count") + 1
    on_card = count if on_card is None else on_card
    layers = [-1] * (count - on_card) + [0] * on_card
    return server_work(model, ServerOptions(), [find_gpu(card)], layers, has_flash_attention=True)


def judged(
    one: Speculation, slots: int = 1, draft: str = "", name: str = "qwen3.5-27b-mtp"
) -> SpeculationVerdict:
    server = work(name)
    drafting = work(draft) if draft else None
    return judge_speculation(one, server, server, depth=2000, slots=slots, draft=drafting)


def test_mtp_pays_for_one_client_as_published() -> None:
    """Published A/B pairs: median 1.65 at two drafts, 1.82 at three, P10 to P90 1.42 to 2.17."""
    assert 1.42 <= judged(MTP[1]).gain <= 2.17
    assert judged(MTP[2]).gain > judged(MTP[1]).gain > judged(MTP[0]).gain > 1


def test_mtp_loses_for_four_clients_as_published() -> None:
    """A published mixture of experts gained 42 and 21 % at one and two, lost 31 % at four."""
    gains = [judged(MTP[2], slots, name="qwen3.5-35b-a3b-mtp").gain for slots in (1, 2, 4)]
    assert gains[0] > gains[1] > 1 > gains[2]
    verdict = judged(MTP[2], 4)
    assert verdict.failed is SpeculationRule.SLOTS
    assert "at one slot it would be" in verdict.reason


def test_a_file_without_the_blocks_cannot_predict() -> None:
    assert judged(MTP[0], name="qwen3.5-27b").failed is SpeculationRule.BLOCKS


def test_a_draft_that_takes_layers_off_the_card_fails_the_memory_rule() -> None:
    """As on the published 8 GB card: the lost layers explain the loss."""
    plain = work("qwen3.5-27b", "RTX 4060 Laptop", on_card=24)
    for name, left in (("qwen3.5-0.8b", 20), ("qwen3.5-4b", 13), ("qwen3.5-9b", 0)):
        beside = work("qwen3.5-27b", "RTX 4060 Laptop", on_card=left)
        one = Speculation(Drafter.DRAFT, 8, 0.4)
        verdict = judge_speculation(
            one, plain, beside, depth=200, slots=1, draft=work(name, "RTX 4060 Laptop")
        )
        assert verdict.failed is SpeculationRule.MEMORY, (name, verdict)
        assert "slows from" in verdict.reason


def test_a_draft_of_half_the_size_fails_the_rule_of_five() -> None:
    verdict = judged(Speculation(Drafter.DRAFT, 3, 0.7), draft="qwen3.5-9b", name="qwen3.5-27b")
    assert verdict.failed is SpeculationRule.SPEED


def test_a_bad_guess_names_the_acceptance_it_needs() -> None:
    verdict = judged(Speculation(Drafter.NGRAM, 8, 0.05))
    assert verdict.failed is SpeculationRule.ACCEPTANCE
    assert verdict.break_even is not None
    assert f"{verdict.break_even:.0%} are needed" in verdict.reason
    assert judged(Speculation(Drafter.NGRAM, 8, verdict.break_even + 0.02)).pays


def test_without_drafts_nothing_is_gained() -> None:
    verdict = judged(NO_SPECULATION)
    assert verdict.gain == 1.0
    assert verdict.pays
    assert verdict.cycle_seconds == verdict.plain_seconds


def test_the_fastest_way_is_chosen_and_none_where_nothing_pays() -> None:
    alone = [judged(one) for one in (NO_SPECULATION, *MTP)]
    assert choose_speculation(alone).speculation in MTP[1:]
    crowd = [judged(one, 16) for one in (NO_SPECULATION, *MTP)]
    assert choose_speculation(crowd).speculation == NO_SPECULATION


def test_an_acceptance_above_one_is_refused() -> None:
    with pytest.raises(InvalidInput) as caught:
        judged(Speculation(Drafter.MTP, 2, 1.2))
    assert caught.value.problems[0].code == "P1001"
