"""A plan file may have been written by anybody: refused, or rendered harmlessly."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packer.domain.node import Sharing
from packer.errors import InvalidInput
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.plan_checks import check_plan
from packer.kubernetes_objects.render import render
from packer.plan.plan import NodeBudget, PlacedVariant, Placement, Plan
from tests.rendered_plans import SAMPLE_OPTIONS, container, live, of_kind, parsed
from tests.sample_plans import (
    CARD_UUIDS,
    L40S_BYTES,
    SLICE_UUIDS,
    company_plan,
    device_bytes,
    node,
    placement,
    plan_of,
    sliced_plan,
    summary,
    tiny_plan,
)


def _codes(plan: Plan, options: RenderOptions = SAMPLE_OPTIONS) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        check_plan(plan, options)
    for problem in caught.value.problems:
        assert problem.help
        assert len(str(problem)) < 1000
    return [problem.code for problem in caught.value.problems]


def _node(change: Callable[[NodeBudget], NodeBudget]) -> Plan:
    plan = tiny_plan()
    return replace(plan, nodes=(change(plan.nodes[0]),))


def _placed(change: Callable[[Placement], Placement]) -> Plan:
    plan = tiny_plan()
    return replace(plan, placements=(change(plan.placements[0]),))


def _variant(change: Callable[[PlacedVariant], PlacedVariant]) -> Plan:
    return _placed(lambda placed: replace(placed, variant=change(placed.variant)))


def _argv(*extra: str) -> Plan:
    return _placed(lambda placed: replace(placed, argv=(*placed.argv, *extra)))


def _named(text: str) -> list[Plan]:
    """The tiny plan with one text in each place where a plan holds a name."""
    plan, node = tiny_plan(), tiny_plan().nodes[0]
    workload, placed = plan.workloads[0], plan.placements[0]
    card = replace(node.cards[0], uuid=text or "'")
    return [
        replace(plan, name=text),
        replace(plan, server=replace(plan.server, image=text)),
        replace(plan, server=replace(plan.server, build=text)),
        replace(
            plan,
            workloads=(replace(workload, name=text),),
            placements=(replace(placed, workload=text),),
        ),
        replace(plan, nodes=(replace(node, name=text),), placements=(replace(placed, node=text),)),
        replace(plan, nodes=(replace(node, zone=text or " "),)),
        replace(plan, nodes=(replace(node, product_label=text),)),
        replace(plan, nodes=(replace(node, cards=(card,)),)),
    ]


HOSTILE = [
    *(
        "",
        " ",
        "a\nb",
        'x"',
        "'",
        "$(HOME)",
        "{{ a }}",
        "!!python/object",
        "../../etc",
        "-rf",
        "a:b ",
    ),
    *("' || true || '", "\u0430bc", "a" * 300, "a\x00b", "a\u2028b", "#", "a/../b", "A B"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_names_are_refused_wherever_they_stand(text: str) -> None:
    for place, plan in enumerate(_named(text)):
        codes = _codes(plan)
        assert set(codes) <= {"P0710", "P0713"}, place


def test_every_problem_is_told_at_once_and_once() -> None:
    plan = company_plan()
    nodes = tuple(replace(node, sharing=Sharing.MIG) for node in plan.nodes)
    codes = _codes(replace(plan, name="A B", nodes=nodes))
    assert codes.count("P0710") == 1
    assert codes.count("P0712") == 3  # one for each pool


def test_slices_are_not_asked_for_where_cards_are_whole() -> None:
    plan = _node(lambda node: replace(node, sharing=Sharing.MIG))
    with pytest.raises(InvalidInput, match="cannot be shared by mig") as caught:
        check_plan(plan, SAMPLE_OPTIONS)
    assert [problem.code for problem in caught.value.problems] == ["P0712"]
    assert _codes(tiny_plan(), replace(SAMPLE_OPTIONS, sharing=Sharing.MIG)) == ["P0712"]
    check_plan(plan, replace(SAMPLE_OPTIONS, sharing=Sharing.DRA))


@pytest.mark.parametrize("sharing", [Sharing.DRA_MEMORY, Sharing.HAMI])
def test_slices_are_not_shared_like_whole_cards(sharing: Sharing) -> None:
    with pytest.raises(InvalidInput, match=f"MIG slices of .* cannot be shared by {sharing}"):
        check_plan(sliced_plan(), replace(SAMPLE_OPTIONS, sharing=sharing))


def test_no_model_is_split_over_slices() -> None:
    plan = sliced_plan()
    first = plan.placements[0]
    split = replace(first, gpus=(0, 1), devices=first.devices * 2)
    assert "P0719" in _codes(replace(plan, placements=(split, *plan.placements[1:])))


def test_slices_may_name_the_card_they_are_cut_from() -> None:
    check_plan(sliced_plan(CARD_UUIDS), SAMPLE_OPTIONS)
    twice = (SLICE_UUIDS[0], SLICE_UUIDS[0], *SLICE_UUIDS[2:])
    assert _codes(sliced_plan(twice)) == ["P0711"]
    assert _codes(sliced_plan(("GPU'", *SLICE_UUIDS[1:]))) == ["P0710"]


def test_hami_gives_a_split_model_its_largest_share_everywhere() -> None:
    """30 + 10 GiB become 30 + 30; with 18 GiB beside the smaller part that is too much."""
    split = placement(
        "a", 0, "n-0", (0, 1), (device_bytes(30, 0), device_bytes(10, 0)), file="a.gguf"
    )
    beside = placement("b", 0, "n-0", (1,), (device_bytes(18, 0),), file="b.gguf")
    placements = (split, beside)
    budget = node("n-0", "n", "L40S", "NVIDIA-L40S", L40S_BYTES, 2, placements)
    plan = plan_of(
        "p",
        (summary("a", "m", "x"), summary("b", "m", "x")),
        placements,
        (budget,),
        baselines=tiny_plan().baselines,
    )
    assert _codes(plan, replace(SAMPLE_OPTIONS, sharing=Sharing.HAMI)) == ["P0720"]
    check_plan(plan, SAMPLE_OPTIONS)


@pytest.mark.parametrize(
    "plan",
    [
        _placed(lambda placed: replace(placed, gpus=())),
        _placed(lambda placed: replace(placed, gpus=(1,))),
        _placed(lambda placed: replace(placed, gpus=(0, 0), devices=placed.devices * 2)),
        _placed(lambda placed: replace(placed, devices=())),
        _placed(lambda placed: replace(placed, node="elsewhere")),
        _placed(lambda placed: replace(placed, replica=-1)),
        _placed(lambda placed: replace(placed, argv=())),
        _node(lambda node: replace(node, is_used=False)),
        _argv("--port", "99999"),
        _argv("a\nb"),
        _argv("a\x1b[2J"),
        _variant(lambda variant: replace(variant, mount="pvc://other/model.gguf")),
        replace(tiny_plan(), placements=()),
        replace(tiny_plan(), placements=tiny_plan().placements * 2),
        replace(tiny_plan(), workloads=tiny_plan().workloads * 2),
        replace(tiny_plan(), nodes=tiny_plan().nodes * 2),
        replace(tiny_plan(), workloads=()),
    ],
)
def test_plans_that_contradict_themselves_are_refused(plan: Plan) -> None:
    assert set(_codes(plan)) == {"P0711"}


def test_two_cards_of_one_uuid_are_refused() -> None:
    plan = live(company_plan())
    card = plan.nodes[0].cards[1]
    cards = (replace(plan.nodes[0].cards[0], uuid=card.uuid), *plan.nodes[0].cards[1:])
    assert _codes(replace(plan, nodes=(replace(plan.nodes[0], cards=cards), *plan.nodes[1:]))) == [
        "P0711"
    ]


def test_a_mig_slice_is_no_card() -> None:
    mig = "MIG-0b4c6f6e-8f1a-4d0c-9b3e-5d1f2a3b4c5d"
    plan = _node(lambda node: replace(node, cards=(replace(node.cards[0], uuid=mig),)))
    assert _codes(plan) == ["P0710"]


def test_a_product_label_is_needed_where_nothing_else_names_the_card() -> None:
    unlabelled = _node(lambda node: replace(node, product_label=""))
    assert _codes(unlabelled) == ["P0713"]
    assert _codes(unlabelled, replace(SAMPLE_OPTIONS, sharing=Sharing.WHOLE)) == ["P0713"]
    known = live(unlabelled)
    check_plan(known, SAMPLE_OPTIONS)
    check_plan(known, replace(SAMPLE_OPTIONS, sharing=Sharing.WHOLE))


@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (_variant(lambda variant: replace(variant, mount="")), "holds the model of"),
        (_variant(lambda variant: replace(variant, draft_model="x")), "holds the draft model of"),
        (_variant(lambda variant: replace(variant, projector_model="x")), "holds the projector of"),
    ],
)
def test_a_model_without_a_volume_is_refused_with_what_to_write(plan: Plan, what: str) -> None:
    with pytest.raises(InvalidInput, match=f"{what} workload 'chat'") as caught:
        check_plan(plan, SAMPLE_OPTIONS)
    (problem,) = caught.value.problems
    assert problem.code == "P0714"
    assert "file: pvc://CLAIM/path/model.gguf" in problem.help


@pytest.mark.parametrize("mount", ["s3://a/b", "pvc://a", "file:///m.gguf", "pvc://a/../../etc/x"])
def test_unusable_mounts_are_refused(mount: str) -> None:
    plan = _variant(lambda variant: replace(variant, mount=mount))
    assert _codes(plan, replace(SAMPLE_OPTIONS, allow_host_path=True)) == ["P0715"]


def test_a_host_path_needs_consent() -> None:
    path = "/models/file/srv/models/m.gguf"
    plan = _variant(lambda variant: replace(variant, mount="file:///srv/models/m.gguf"))
    plan = replace(
        plan,
        placements=(replace(plan.placements[0], argv=("llama-server", "--model", path)),),
    )
    assert _codes(plan) == ["P0716"]
    check_plan(plan, replace(SAMPLE_OPTIONS, allow_host_path=True))


@pytest.mark.parametrize("flag", ["--api-key", "--hf-token", "-hft", "--api-key=abc"])
def test_secrets_in_a_command_line_are_refused_and_not_repeated(flag: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_plan(_argv(flag, "canary-123"), SAMPLE_OPTIONS)
    assert [problem.code for problem in caught.value.problems] == ["P0717"]
    assert "canary" not in str(caught.value)


def test_two_replicas_in_one_router_are_refused() -> None:
    plan = company_plan()
    extra = replace(plan.placements[-1], replica=1)
    small = replace(plan.workloads[-1], replicas=2)
    plan = replace(
        plan, placements=(*plan.placements, extra), workloads=(*plan.workloads[:-1], small)
    )
    assert _codes(plan) == ["P0718"]
    check_plan(plan, replace(SAMPLE_OPTIONS, sharing=Sharing.DRA))


@pytest.mark.parametrize(
    "options",
    [
        RenderOptions(namespace="A"),
        RenderOptions(namespace="a\nb"),
        RenderOptions(create_namespace=True),
        RenderOptions(api_key_secret="$(A)"),
        RenderOptions(api_key_entry="../a"),
        RenderOptions(pool_selectors={"lab": {"a b": "c"}}),
        RenderOptions(pool_selectors={"lab": {"a": "{{ c }}"}}),
    ],
)
def test_options_are_held_against_the_same_rules(options: RenderOptions) -> None:
    assert _codes(tiny_plan(), options) == ["P0710"]


TEXTS = (
    st.text(max_size=12)
    | st.sampled_from(HOSTILE)
    | st.text(st.sampled_from("ab-.:/$"), max_size=9)
)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_any_text_is_refused_or_changes_no_structure(text: str) -> None:
    """Whatever a name holds, the files are the same objects with one document each."""
    for plan in _named(text):
        try:
            files = render(plan, SAMPLE_OPTIONS)
        except InvalidInput:
            continue
        kinds = sorted(document["kind"] for document in parsed(files).values())
        assert kinds == [
            *("ConfigMap", "Deployment", "Kustomization", "ResourceClaim", "Service"),
            "ServiceAccount",
        ]
        assert not any(".." in path or path.startswith("/") for path in files)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_any_argument_arrives_or_is_refused(arguments: list[str]) -> None:
    plan = _argv("--chat-template", *arguments)
    try:
        found = parsed(render(plan, SAMPLE_OPTIONS))
    except InvalidInput:
        return
    args = container(of_kind(found, "Deployment")["chat-0"])["args"]
    assert [argument.replace("$$", "$") for argument in args] == list(plan.placements[0].argv[1:])
