"""Words, command lines, columns and caveats that reports share."""

import shlex
from dataclasses import replace

from packer.domain.node import Sharing
from packer.plan.cost import bill
from packer.report.card_figures import layer_ranges, node_figures
from packer.report.command_text import WIDTH, command_text
from packer.report.document import report
from packer.report.honesty import caveats
from packer.report.phrases import (
    choices,
    joined_notes,
    layer_range,
    process_words,
    replica_words,
)
from packer.report.text_columns import columns, wrapped
from packer.report.wording import SHARING_NAMES, amount, counted, listed, rate, symbol
from tests.report_plans import awkward_plan
from tests.sample_plans import company_plan, tiny_plan


def test_replicas_are_named_and_long_runs_shortened() -> None:
    assert replica_words("chat", [0]) == "chat-0"
    assert replica_words("chat", [1, 0]) == "chat-0, chat-1"
    assert replica_words("chat", [0, 1, 2, 3, 5]) == "chat-0 to chat-3, chat-5"


def test_layers_follow_from_the_split() -> None:
    chat, *_ = company_plan().placements
    assert layer_ranges(chat.variant) == ((0, 39), (40, 80))
    partly = awkward_plan().placements[1]
    assert layer_ranges(partly.variant) == ((13, 32), None)
    assert (layer_range(0, 41), layer_range(80, 80)) == ("layers 0–41", "layer 80")


def test_a_process_without_layers_says_so() -> None:
    last = node_figures(awkward_plan())[1].cards[1].processes[0]
    assert process_words(last).endswith("-1 no layers")


def test_money_and_counts() -> None:
    assert rate(None, "USD", "h") == "price unknown"
    assert amount(None) == "unknown"
    assert (symbol("EUR"), symbol("CHF"), symbol("")) == ("€", "CHF", "price")
    assert (counted(1, "card"), counted(1200, "card")) == ("1 card", "1,200 cards")
    assert (listed(["a"]), listed(["a", "b", "c"])) == ("a", "a, b and c")


def test_a_pasted_command_line_is_the_same_words() -> None:
    flags = ("--model", "it's here.gguf", "--tensor-split", "-1,2", "--fit", "off")
    argv = (
        "llama-server",
        *flags,
        *(word for number in range(30) for word in ("--lora", f"l{number}.gguf")),
    )
    text = command_text(argv)
    assert shlex.split(text.replace("\\\n", "")) == list(argv)
    assert len(text.splitlines()) > 3
    assert max(map(len, text.splitlines())) <= WIDTH + 5
    assert "--tensor-split -1,2" in text
    assert command_text(()) == ""


def test_columns_align_and_only_the_last_wraps() -> None:
    lines = columns(["A", "B", "C"], [["x", "10", "one two three four"]], 24, frozenset({1}))
    assert lines == ["A   B  C", "x  10  one two three", "       four"]
    assert wrapped("a b\N{NO-BREAK SPACE}c", 3) == ["a", "b c"]
    assert wrapped("a b c", 0) == ["a b c"]


def test_caveats_name_the_sharing_ways_in_use() -> None:
    plan = company_plan()
    topics = [one.topic for one in caveats(plan, bill(plan))]
    assert "Memory limits (dra)" in topics
    assert "Memory limits (whole)" in topics
    assert "Memory limits (mig)" not in topics
    assert "Nodes without a replica" in topics
    for sharing in Sharing:
        node = replace(plan.nodes[0], sharing=sharing)
        one = replace(plan, nodes=(node,))
        texts = [each.topic for each in caveats(one, bill(plan))]
        assert f"Memory limits ({sharing.value})" in texts
        assert SHARING_NAMES[sharing]


def test_caveats_about_money_follow_the_bill() -> None:
    plan = tiny_plan()
    (unknown,) = (one for one in caveats(plan, bill(plan)) if one.topic == "Price unknown")
    assert "lab-0 without a price" in unknown.text
    nodes = tuple(replace(plan.nodes[0], name=f"lab-{number}") for number in range(8))
    many = replace(plan, nodes=nodes)
    text = " ".join(one.text for one in caveats(many, bill(many)))
    assert "lab-3, lab-4 and 3 other nodes without a price" in text
    mixed = replace(company_plan(), price_per_hour=None)
    assert any("several currencies" in one.text for one in caveats(mixed, bill(mixed)))


def test_a_plan_that_is_not_proved_says_so() -> None:
    plan = awkward_plan()
    assert caveats(plan, bill(plan))[0].topic == "What is not proved"


def test_workloads_with_the_same_note_share_a_line() -> None:
    notes = ("chat: mapped", "the plan: is small", "code: mapped", "code: other")
    facts = report(replace(company_plan(), notes=notes))
    assert joined_notes(facts) == ["chat, code: mapped", "the plan: is small", "code: other"]


def test_replicas_on_different_cards_with_one_choice_are_counted_together() -> None:
    plan = company_plan()
    other = replace(plan.placements[1], argv=(*plan.placements[1].argv, "--verbose"))
    plan = replace(plan, placements=(plan.placements[0], other, *plan.placements[2:]))
    chat = report(plan).workloads[0]
    assert len(chat.groups) == 2
    assert choices(chat) == {"Q4_K_M · KV q8_0 · 8 × 16Ki": 2}
