"""Plans of fleets with a demand: what they record, how they are audited, and what they prove."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from packer.api.inputs import Input
from packer.api.planning import facts_of, tools_for
from packer.catalogue.gpus import find_gpu
from packer.domain.demand import CachePool, Goals, LengthBand
from packer.domain.node import Inventory
from packer.domain.speculation import NO_SPECULATION, Drafter, Speculation
from packer.domain.workload import Fleet, Workload
from packer.errors import Infeasible
from packer.llamacpp.arguments import parse_arguments
from packer.performance.calibration import Calibration, Factors
from packer.performance.learnt import Learnt
from packer.plan.audit import find_contradictions
from packer.plan.explanation import explain_workload
from packer.plan.plan import Placement, Plan, PlannedSpeed
from packer.plan.planning import make_plan
from packer.plan.replica_choice import counts_to_try, proven_bound, relaxed_instance
from packer.solver.candidate import Offer
from packer.solver.candidates import find_candidates_by_replicas
from packer.solver.fleet_instance import fleet_instance
from packer.solver.offers import offers_of
from packer.solver.solve import solve
from packer.solver.stopping import Limits
from packer.spec.plan_file import format_plan, read_plan
from tests.demanding_fleets import demanding
from tests.small_fleets import BUILD, fleet, inventory, pool, workload
from tests.small_fleets import plan as plan_of

HERE = inventory(pool("l40s", find_gpu("L40S"), gpus=1, nodes=6))
WAYS = (NO_SPECULATION, Speculation(Drafter.MTP, 1, 0.8), Speculation(Drafter.NGRAM, 8, 0.3))


def asked() -> Fleet:
    shared: dict[str, Any] = {"cache_pool": CachePool.SHARED, "kv_unified": True}
    return fleet(
        demanding("chat", 1.5, **shared),
        demanding("quiet", 0.05, decode=10.0, first=10.0, band=LengthBand("mail", 0, 6000)),
        workload("code", "qwen3.5-27b-mtp", "Q4_K_M", speculations=WAYS),
    )


@cache
def made() -> Plan:
    return plan_of(asked(), HERE)


def served() -> Fleet:
    """The fleet with the numbers that the plan chose."""
    numbers = {one.name: (one.replicas, one.slots) for one in made().workloads}
    workloads = tuple(
        replace(one, replicas=numbers[one.name][0], slots=numbers[one.name][1])
        for one in asked().workloads
    )
    return replace(asked(), workloads=workloads)


def findings(changed: Plan, there: Inventory = HERE) -> list[str]:
    return list(find_contradictions(changed, served(), there, parse_arguments))


def with_speed(change: Callable[[PlannedSpeed], PlannedSpeed]) -> Plan:
    def changed(one: Placement) -> Placement:
        return one if one.speed is None else replace(one, speed=change(one.speed))

    return replace(made(), placements=tuple(map(changed, made().placements)))


def test_the_plan_records_speed_demand_and_band() -> None:
    chat, quiet, code = made().workloads
    assert chat.demand is not None
    assert chat.demand.requests_per_second == 1.5
    assert chat.demand.goal_first_token_p95_seconds == 3.0
    assert quiet.band is not None
    assert (quiet.band.route, quiet.band.max_prompt_tokens) == ("mail", 6000)
    assert code.demand is None
    for one in made().placements:
        assert one.speed is not None
        figure = one.speed.decode_tokens_per_second
        assert figure.low < figure.value < figure.high
        assert one.variant.slots >= one.speed.slots
    first = [one.speed.first_token_p95_seconds for one in made().placements if one.speed]
    assert sum(seconds is None for seconds in first) == 1, "nobody says what comes to code"


def test_an_honest_plan_passes_its_audit() -> None:
    assert findings(made()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda speed: replace(speed, depth=speed.depth + 1), "speed is not that of its argv"),
        (lambda speed: replace(speed, load_permille=1), "goals are missed"),
        (lambda speed: replace(speed, load_permille=900), "of its time are planned, 850 allowed"),
    ],
)
def test_lies_about_speed_are_found(
    change: Callable[[PlannedSpeed], PlannedSpeed], said: str
) -> None:
    assert any(said in one for one in findings(with_speed(change)))


def test_missed_goals_are_told_with_the_figures_of_the_share_that_is_planned() -> None:
    found = findings(with_speed(lambda speed: replace(speed, load_permille=660)))
    missed = [one for one in found if one.startswith("chat-0: its goals")]
    assert len(missed) == 1
    late = float(missed[0].split(" within ")[1].split()[0])
    assert late > 3.0
    assert missed[0].endswith(f"{late:.2g} s in 95 of 100 requests, 3 s are asked")


def test_a_card_may_be_given_all_the_time_that_is_allowed() -> None:
    limit = made().policy.load_limit_permille
    served_by = next(one for one in made().placements if one.workload == "chat")
    assert served_by.speed is not None
    place = f"{served_by.node} card {served_by.gpus[0]}"
    for load, said in (
        (limit, []),
        (limit + 1, [f"{place}: {limit + 1} thousandths of its time are planned, {limit} allowed"]),
    ):
        told = replace(served_by, speed=replace(served_by.speed, load_permille=load))
        placements = tuple(told if one is served_by else one for one in made().placements)
        found = findings(replace(made(), placements=placements))
        assert [one for one in found if "thousandths" in one] == said


def test_a_demand_needs_a_part_of_the_cards_time() -> None:
    nothing = [f"{name}: it is given no part of its cards' time" for name in ("chat-0", "chat-1")]
    nothing.append(nothing[0].replace("chat", "quiet"))
    less = [*nothing, nothing[0].replace("chat", "code")]
    assert findings(with_speed(lambda speed: replace(speed, load_permille=0))) == nothing
    assert findings(with_speed(lambda speed: replace(speed, load_permille=-1))) == less


def test_a_drafter_or_offload_nobody_allowed_is_found() -> None:
    def lying(one: Placement) -> Placement:
        if one.workload == "quiet":
            return replace(one, argv=(*one.argv, "--n-cpu-moe", "3"))
        if one.workload == "code":
            argv = [word for word in one.argv if word not in ("--spec-type", "draft-mtp")]
            return replace(one, argv=(*argv, "--spec-type", "ngram-cache"))
        return one

    found = findings(replace(made(), placements=tuple(map(lying, made().placements))))
    assert any("quiet-0: experts are left" in one for one in found)
    assert any(one.startswith("code-0:") for one in found)


def test_a_plan_with_demand_survives_its_file() -> None:
    again = read_plan(format_plan(made()), "plan.json")
    assert again == made()


def test_a_plan_without_demand_says_nothing_of_it() -> None:
    plain = format_plan(plan_of(fleet(workload("chat")), HERE))
    for word in ("speed", "demand", "band", "decisions", "load_limit", "cpu_expert", "cache_cells"):
        assert f'"{word}' not in plain


def test_the_explanation_names_the_rule_that_failed_and_the_counts_tried() -> None:
    said = explain_workload(made(), "code")
    assert "ngram, depth 8" in said
    assert "enough drafted tokens must be accepted" in said
    assert "Weighed" in said
    chat = explain_workload(made(), "chat")
    assert "1.5 requests/s" in chat
    assert "of their cards' time" in chat
    assert "replicas: the fleet would take" in chat or "no plan was found with as many" in chat


def test_goals_that_no_card_reaches_are_an_answer_with_figures() -> None:
    slow = fleet(workload("chat", "llama-3.1-8b", "Q8_0", goals=Goals(95.0), slots=4))
    with pytest.raises(Infeasible) as caught:
        plan_of(slow, HERE)
    assert "95 are asked" in caught.value.refusals[0].text
    assert "goals" in caught.value.reasons[0].text
    changes = [one.change for one in caught.value.relaxations]
    assert "chat: decodeTokensPerSecond 47.5 instead of 95" in changes


@pytest.mark.parametrize(
    ("asked_for", "missed"),
    [
        (demanding("chat", 200_000.0), "slots serve 1.6 requests/s, 3.9e+02 arrive"),
        (demanding("chat", 0.5, decode=140.0, first=None), "with 1 busy, 140 are asked"),
    ],
    ids=["demand", "goal"],
)
def test_what_no_number_of_replicas_serves_is_said_of_the_most_that_were_looked_at(
    asked_for: Workload, missed: str
) -> None:
    with pytest.raises(Infeasible) as caught:
        plan_of(fleet(asked_for), HERE)
    (reason,) = caught.value.reasons
    assert reason.text == (
        "chat: up to 512 replicas, and no variant fits any card with its goals reached"
    )
    assert missed in caught.value.refusals[0].text


def test_a_lower_goal_helps_with_as_many_replicas_as_it_takes() -> None:
    """No number of replicas decodes so fast; half as fast, one does."""
    quick = demanding("chat", 0.5, decode=140.0, first=None)
    with pytest.raises(Infeasible) as caught:
        plan_of(fleet(quick), HERE)
    changes = [one.change for one in caught.value.relaxations]
    assert changes == ["chat: decodeTokensPerSecond 70 instead of 140"]
    slower = replace(quick, goals=replace(quick.goals, decode_tokens_per_second=70.0))
    assert plan_of(fleet(slower), HERE).workloads[0].replicas >= 1


def test_replicas_that_a_demand_needs_are_said_to_be_its_own() -> None:
    few = inventory(pool("l40s", find_gpu("L40S"), gpus=1, nodes=2))
    with pytest.raises(Infeasible) as caught:
        plan_of(fleet(demanding("chat", 8.0)), few)
    (reason,) = caught.value.reasons
    assert re.fullmatch(r"chat: \d+ replicas for its demand, each at least \S+ GiB", reason.text)
    assert not [one for one in caught.value.relaxations if "replicas" in one.change]


def test_what_would_help_is_judged_by_what_was_measured() -> None:
    """Half of the goal is reached as predicted, and is not on cards measured half as fast."""
    quick = fleet(demanding("chat", 0.5, decode=140.0, first=None))
    model = quick.workloads[0].variants[0].model
    half = Calibration("L40S", model.fingerprint, BUILD, decode=Factors(rest=2.0, depth=2.0))
    given = facts_of(Input(quick, HERE, "0" * 64, "1" * 64))
    for learnt, helps in ((None, True), (Learnt(speeds=(half,)), False)):
        facts = replace(given, calibration=learnt)
        with pytest.raises(Infeasible) as caught:
            make_plan(quick, HERE, tools_for(BUILD), facts, limits=Limits())
        assert bool(caught.value.relaxations) == helps


def test_counts_are_all_tried_where_they_are_few() -> None:
    offers = offers_of(HERE, asked().headroom)
    families = [
        find_candidates_by_replicas(one, offers, build=BUILD, most_share=0.85)
        for one in asked().workloads
    ]
    counts = counts_to_try(families, offers, 85)
    assert counts.is_complete
    assert len(counts.tried) == len(families[0]) * len(families[1])
    many = counts_to_try([families[0]] * 4, offers, 85)
    assert not many.is_complete
    assert len(many.tried) <= 6
    assert all(len(sets) == 4 for sets in many.tried)


def test_the_relaxation_is_no_dearer_than_any_count() -> None:
    offers = offers_of(HERE, asked().headroom)
    sets = find_candidates_by_replicas(demanding("chat", 4.0), offers, build=BUILD, most_share=0.85)
    one = fleet(demanding("chat", 4.0))
    limits = Limits(time_seconds=10)
    values = [solve(fleet_instance(one, HERE, [each]).instance, limits).objective for each in sets]
    relaxed = solve(relaxed_instance(fleet_instance(one, HERE, sets).instance), limits)
    known = [value for value in values if value is not None]
    assert known
    assert (relaxed.bound or 0) <= min(known)
    assert proven_bound([], 3) == 3
    assert proven_bound([], None) == 0


def test_an_offer_that_is_unknown_counts_no_card() -> None:
    assert counts_to_try([], (Offer(find_gpu("L40S"), 1, 1, 1),), 85).is_complete


def test_the_bound_holds_for_counts_that_were_not_packed() -> None:
    """Three workloads with two or more numbers of replicas each: six combinations are packed."""
    many = fleet(*(demanding(name, rate) for name, rate in (("a", 0.4), ("b", 0.5), ("c", 0.6))))
    found = plan_of(many, HERE, time_limit_seconds=30)
    assert found.bound <= found.objective_value
    assert (found.status == "optimal") == (found.bound == found.objective_value)
    (note,) = [one for one in found.notes if one.startswith("numbers of replicas considered")]
    assert all(f"{name} " in note for name in ("a", "b", "c"))
    for one in found.workloads:
        assert any("replica" in each.choice for each in one.decisions)
