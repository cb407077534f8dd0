"""Graphs of files that the record has none of: joined projections, bounds, other experts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest

from packer.domain.model import MetadataValue, ModelFile, Tensor
from packer.domain.server_options import FlashAttention, ServerOptions
from packer.memory.compute_blocks import BlockChoice
from packer.memory.compute_context import graph_context, is_pipelined
from packer.memory.compute_graphs.context import Batch
from packer.memory.compute_graphs.decoders import in_heads, project, project_flat
from packer.memory.compute_graphs.experts import routing
from packer.memory.compute_graphs.model_graph import ModelGraph
from packer.memory.compute_graphs.recurrent_state import RecurrentStates
from packer.memory.compute_peaks import Occasion, Reservation, ReservedPeaks
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.layer_split import HOST, Layout, model_layout
from packer.memory.resolution import resolve_context
from tests.graph_facts import Asked
from tests.memory_models import F16, Keys, MadeUp
from tests.memory_truth import tiny_model

OPTIONS = ServerOptions(context_size=1024, slots=1, flash_attention=FlashAttention.ON)


def unbuilt(made: MadeUp) -> ModelGraph:
    """A graph of eight tokens without an operation."""
    model, sizes = made.file(), made.sizes()
    context = resolve_context(sizes, OPTIONS)
    layout = model_layout(sizes.block_count, OPTIONS, ())
    asked = graph_context(model, context, layout, OPTIONS, has_flash_attention=True)
    return ModelGraph(model, sizes, asked, Batch(8, 1, 8))


@pytest.mark.parametrize(
    ("tokens", "offloaded", "pin"),
    [(31, 2, 1), (32, 2, -1), (33, 2, -1), (31, 5, 0), (32, 5, 0), (512, 5, 0)],
)
def test_norms_are_held_in_small_batches_or_where_all_layers_are_on_cards(
    tokens: int, offloaded: int, pin: int
) -> None:
    """Source: llama.cpp b11434, src/llama-context.cpp, graph_get_cb()."""
    made = MadeUp()
    context = resolve_context(made.sizes(), OPTIONS)
    devices = (0,) * 5 if offloaded == 5 else (HOST, HOST, HOST, 0, 0)
    layout = Layout((0,), devices, offloaded)
    asked = graph_context(made.file(), context, layout, OPTIONS, has_flash_attention=True)
    graph = ModelGraph(made.file(), made.sizes(), asked, Batch(tokens, 1, 1))
    product = graph.norm(graph.empty(256, tokens), 0, "attn_norm")
    assert product.operation == "mul"
    assert product.sources[0].pin == pin


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4])
def test_a_state_is_kept_for_every_token_that_may_be_taken_back(depth: int) -> None:
    graph = unbuilt(MadeUp())
    graph.context = replace(graph.context, rollback_depth=depth, states=3)
    states = RecurrentStates(graph)
    assert states.depth == depth + 1
    assert states.memory(0, 64).shape == (64, 3 * (depth + 1), 1, 1)


JOINED = (Tensor("blk.0.attn_qkv.weight", (256, 512), F16),)


def test_flat_projections_of_one_product_lie_one_behind_the_other() -> None:
    graph = unbuilt(MadeUp("mpt", more=JOINED))
    parts = project_flat(graph, graph.empty(256, 8), 0)
    assert [part.shape for part in parts] == [(256, 8, 1, 1), (128, 8, 1, 1), (128, 8, 1, 1)]
    assert {part.operation for part in parts} == {"cont"}
    views = [part.sources[0] for part in parts]
    assert [view.view_offset for view in views] == [0, 1024, 1536]
    assert {view.layout for view in views} == {(4, 2048, 16384, 16384)}
    cut = in_heads(graph, 0, parts)
    assert [part.shape for part in cut] == [(64, 4, 8, 1), (64, 2, 8, 1), (64, 2, 8, 1)]


def test_projections_of_one_product_are_views_of_its_heads() -> None:
    graph = unbuilt(MadeUp("phi3", more=JOINED))
    parts = project(graph, graph.empty(256, 8), 0)
    assert [part.shape for part in parts] == [(64, 4, 8, 1), (64, 2, 8, 1), (64, 2, 8, 1)]
    assert [part.view_offset for part in parts] == [0, 1024, 1536]
    assert {part.layout[:3] for part in parts} == {(4, 256, 2048)}


def test_numbers_a_file_does_not_say() -> None:
    graph = unbuilt(MadeUp(keys={"expert_count": 8, "expert_weights_scale": "large"}))
    assert (graph.whole("expert_count"), graph.whole("absent")) == (8, 0)
    assert (graph.whole("absent", 5), graph.number("absent")) == (5, 0)
    assert graph.number("expert_weights_scale") == 0


@pytest.mark.parametrize(
    ("said", "gate"), [(0, "sigmoid"), (1, "soft_max"), (2, "sigmoid"), (3, "chosen_soft_max")]
)
def test_gates_by_number(said: int, gate: str) -> None:
    keys: Keys = {"expert_gating_func": said, "expert_weights_norm": True, "expert_group_count": 4}
    found = routing(unbuilt(MadeUp(keys=keys)), default_gate="sigmoid")
    assert (found.gate, found.is_normalized, found.groups) == (gate, True, 4)
    assert routing(unbuilt(MadeUp(keys=keys)), gate="soft_max").gate == "soft_max"
    assert not routing(unbuilt(MadeUp(keys=keys)), is_normalized=False).is_normalized
    assert not routing(unbuilt(MadeUp())).is_normalized


def lines(model: ModelFile, tokens: int = 48, slots: int = 3) -> list[str]:
    """Facts of a graph; the command's numbers are those of the record."""
    name = f"llama-server -m x.gguf -c 1536 -np {slots} -b 96 -ub {tokens} -fa on"
    return Asked(model, name).lines(Batch(tokens, slots, slots))


def changed(name: str, keys: dict[str, MetadataValue | None]) -> ModelFile:
    model = tiny_model(name)
    metadata = dict(model.metadata)
    for key, value in keys.items():
        full = f"{model.architecture}.{key}"
        if value is None:
            del metadata[full]
        else:
            metadata[full] = value
    return replace(model, metadata=metadata)


def count(found: Iterable[str], operation: str) -> int:
    return sum(line.startswith(f"{operation} ") for line in found)


TWO = Layout((0, 1), (0, 0, 0, 1, 1), 5)


@pytest.mark.parametrize(
    ("layout", "options", "is_one"),
    [
        (TWO, OPTIONS, True),
        (Layout((0,), (0,) * 5, 5), OPTIONS, False),
        (Layout((0, 1, 2), (0, 0, 1, 1, 2), 5), OPTIONS, True),
        (Layout((0, 1), (HOST, 0, 0, 1, 1), 4), OPTIONS, False),
        (Layout((), (HOST,) * 5, 0), OPTIONS, False),
        (TWO, replace(OPTIONS, kv_offload=False), False),
        (TWO, replace(OPTIONS, override_tensors=(("ffn_up", "CUDA1"),)), False),
        (TWO, replace(OPTIONS, override_tensors=(("ffn_up", "CPU"),)), False),
        (TWO, replace(OPTIONS, cpu_moe=True), False),
    ],
)
def test_batches_are_in_flight_over_several_whole_cards(
    layout: Layout, options: ServerOptions, is_one: bool
) -> None:
    context = resolve_context(MadeUp().sizes(), options)
    assert is_pipelined(layout, options, context) is is_one


def reshaped(model: ModelFile, shapes: dict[str, tuple[int, ...]]) -> ModelFile:
    """The file with other shapes for tensors of its blocks; an empty shape leaves one out."""
    kept = []
    for tensor in model.tensors:
        shape = shapes.get(tensor.name.split(".", 2)[-1], tensor.shape)
        kept += [replace(tensor, shape=shape)] if shape else []
    return replace(model, tensors=tuple(kept))


def test_older_files_of_qwen3_next_join_query_key_value_and_gate_head_by_head() -> None:
    keys: dict[str, MetadataValue | None] = {"ssm.inner_size": 512, "ssm.time_step_rank": 4}
    model = reshaped(
        changed("qwen3next-moe.gguf", keys),
        {
            "attn_qkv.weight": (),
            "attn_gate.weight": (),
            "ssm_in.weight": (256, 1536),
            "ssm_ba.weight": (256, 8),
            "ssm_out.weight": (512, 256),
            "ssm_conv1d.weight": (4, 1024),
        },
    )
    found = lines(model)
    start = found.index("blk.0.ssm_in.weight f32 256,1536,1,1 4,1024,1572864,1572864")
    assert found[start + 4 : start + 13] == [
        # Two heads of 128 + 128 + 256 + 256 elements.
        "reshape f32 768,2,16,3 4,3072,6144,98304 reads 1 shows 1 from 0",
        "view f32 128,2,16,3 4,3072,6144,98304 reads 1 shows 2 from 0",
        "cont f32 256,16,3,1 4,1024,16384,49152 reads 1",
        "view f32 128,2,16,3 4,3072,6144,98304 reads 3 shows 4 from 512",
        "cont f32 256,16,3,1 4,1024,16384,49152 reads 1",
        "concat f32 512,16,3,1 4,2048,32768,98304 reads 3,1",
        "view f32 256,2,16,3 4,3072,6144,98304 reads 6 shows 7 from 1024",
        "cont f32 512,16,3,1 4,2048,32768,98304 reads 1",
        "concat f32 1024,16,3,1 4,4096,65536,196608 reads 3,1",
    ]
    views = [line for line in found if line.startswith("view f32 256,2,16,3")]
    assert [line.rpartition(" ")[2] for line in views] == ["1024", "2048"]
    repeated = "repeat f32 128,2,2,48 4,512,1024,2048 reads 1"
    assert found.count(repeated) == 2


def test_without_a_bound_kimi_k3_forgets_by_softplus() -> None:
    bounded, free = (
        lines(changed("kimi-k3-moe.gguf", {"kda.gate_lower_bound": bound}))
        for bound in (-5.0, None)
    )
    endless = lines(changed("kimi-k3-moe.gguf", {"kda.gate_lower_bound": float("-inf")}))
    assert (count(bounded, "softplus"), count(free, "softplus")) == (0, 1)
    assert count(bounded, "sigmoid") == count(free, "sigmoid") + 1
    assert len(bounded) == len(free) + 2
    assert endless == free


def test_groups_of_experts_are_as_many_as_there_are_and_no_more() -> None:
    keys: dict[str, MetadataValue | None] = {"expert_count": 8, "expert_used_count": 5}
    weights = {
        f"ffn_{name}.weight": shape
        for name, shape in {
            "gate_inp": (256, 8),
            "gate_exps": (256, 384, 8),
            "up_exps": (256, 384, 8),
            "down_exps": (384, 256, 8),
        }.items()
    }
    for chunk, groups in ((1, 5), (2, 4), (3, 2), (4, 2), (0, 5)):
        keys["experts_per_group"] = chunk
        found = lines(reshaped(changed("grovemoe-moe.gguf", keys), weights))
        chosen = [line.split()[2] for line in found if line.startswith("view i32")]
        assert chosen == ["5,48,1,1", f"{groups},48,1,1", "5,3,1,1", f"{groups},3,1,1"]


def test_experts_of_jamba_are_weighed_as_they_are() -> None:
    dense = tiny_model("jamba-dense.gguf")
    experts = {
        "ffn_gate_inp": (256, 4),
        "ffn_gate_exps": (256, 384, 4),
        "ffn_up_exps": (256, 384, 4),
        "ffn_down_exps": (384, 256, 4),
    }
    more = [Tensor(f"blk.1.{name}.weight", shape, F16) for name, shape in experts.items()]
    keys: dict[str, MetadataValue | None] = {"expert_count": 4, "expert_used_count": 2}
    model = changed("jamba-dense.gguf", keys)
    found = lines(replace(model, tensors=(*model.tensors, *more)))
    assert count(found, "soft_max") == 1
    assert count(found, "mul_mat_id") == 3
    assert count(found, "div") == count(found, "clamp") == count(found, "sum_rows") == 0
    assert sum(line.startswith("view i32 2,3,1,1 ") for line in found) == 1
    assert count(lines(dense), "mul_mat_id") == 0


def test_one_sequence_of_several_moves_the_states_of_the_others() -> None:
    asked = Asked(tiny_model("mamba-dense.gguf"), "llama-server -m x -c 1536 -np 3 -fa on")
    found = asked.lines(Batch(16, 1, 1))
    words = [line.split() for line in found if line.startswith(("view f32", "cpy f32"))]
    moved = Counter(shape for _, _, shape, *_ in words if shape.endswith(",2,1,1"))
    # In both blocks of both kinds: where from, where to, and the copy.
    assert moved == {"1536,2,1,1": 2 * 3, "65536,2,1,1": 2 * 3}
    one = Asked(tiny_model("mamba-dense.gguf"), "llama-server -m x -c 1536 -np 1 -fa on")
    assert not any(",2,1,1 " in line for line in one.lines(Batch(16, 1, 1)))


def test_fused_gates_of_experts_are_halves_of_their_rows() -> None:
    found = lines(tiny_model("qwen3next-moe.gguf"))
    halves = [line for line in found if line.startswith("view f32 384,2,48,1 ")]
    assert [line.split()[3] for line in halves] == ["4,3072,6144,294912"] * 4
    assert [line.rpartition(" ")[2] for line in halves] == ["0", "1536"] * 2


def test_a_delta_rule_has_as_many_heads_as_its_values() -> None:
    keys: dict[str, MetadataValue | None] = {"ssm.inner_size": 512, "ssm.time_step_rank": 4}
    model = reshaped(
        changed("qwen35-dense.gguf", keys),
        {"attn_qkv.weight": (256, 1024), "ssm_conv1d.weight": (4, 1024)},
    )
    found = [line for line in lines(model) if line.startswith("gated_delta_net ")]
    # Columns for every token, and a state of 128 rows for every sequence.
    assert [line.split()[2] for line in found] == [f"512,{48 + 3 * 128},1,1"]
    assert [line.split()[2] for line in lines(model) if line.startswith("repeat ")] == []


@pytest.mark.parametrize(("beta", "bounded"), [(0.0, 1), (0.5, 2), (1.0, 2), (4.0, 2)])
def test_kimi_k3_bounds_the_other_factor_where_its_file_says_so(beta: float, bounded: int) -> None:
    found = lines(changed("kimi-k3-moe.gguf", {"activation.situ_linear_beta": beta}))
    assert count(found, "tanh") % bounded == 0
    none = lines(changed("kimi-k3-moe.gguf", {"activation.situ_linear_beta": 0.0}))
    assert count(found, "tanh") == bounded * count(none, "tanh") > 0


def test_of_several_occasions_the_largest_decides() -> None:
    model, sizes = MadeUp().file(), MadeUp().sizes()
    context = resolve_context(sizes, OPTIONS)
    layout = model_layout(sizes.block_count, OPTIONS, ())
    peaks = ReservedPeaks(
        Reservation(
            model=model,
            sizes=sizes,
            context=graph_context(model, context, layout, OPTIONS, has_flash_attention=True),
            choice=BlockChoice((0, 1, 2, 3), (), ()),
            is_pipelined=False,
            offloads_operations=True,
            is_unified=True,
            has_window=False,
            is_empty=True,
        )
    )
    small, large = (Occasion(Batch(tokens, 1, 1), 1024, 1024, 1) for tokens in (1, 256))
    (least,), (most,) = peaks.of((small,)) or (), peaks.of((large,)) or ()
    assert 0 < least < most
    assert peaks.of((small, large)) == peaks.of((large, small)) == (most,)


@pytest.mark.parametrize("name", ["deepseek2", "deepseek32", "glm-dsa"])
def test_queries_are_cut_the_same_way_for_as_many_tokens_as_heads(name: str) -> None:
    """The record has no such batch; a flat query of as many tokens was taken for one in heads."""
    tiny = changed(f"{name}-moe.gguf", {"attention.head_count": 4})
    stems = ("attn_q_b.weight", "attn_q.weight")
    wide = next(tensor for tensor in tiny.tensors if tensor.name.endswith(stems))
    heads = read_hyperparameters(tiny_model(f"{name}-moe.gguf")).heads[0]
    shape = (wide.shape[0], wide.shape[1] // heads * 4)
    model = reshaped(tiny, dict.fromkeys(stems, shape))

    def widths(tokens: int) -> list[tuple[str, str]]:
        found = (line.split() for line in lines(model, tokens, 1))
        return [(w[2].split(",")[0], w[3].split(",")[1]) for w in found if w[0] == "view"]

    assert widths(4) == widths(8)


@pytest.mark.parametrize("rank", [320, 512])
def test_compressed_keys_are_the_front_of_a_row_with_what_is_rotated(rank: int) -> None:
    keys: dict[str, MetadataValue | None] = {
        "attention.kv_lora_rank": rank,
        "attention.key_length": rank + 64,
        "attention.value_length": rank,
    }
    shapes = {
        "attn_kv_a_norm.weight": (rank,),
        "attn_kv_a_mqa.weight": (128, rank + 64),
        "attn_k_b.weight": (128, rank),
        "attn_v_b.weight": (rank, 128),
    }
    found = lines(reshaped(changed("deepseek2-moe.gguf", keys), shapes))
    views = [line.split() for line in found if line.startswith("view f32")]
    row = 4 * (rank + 64)
    fronts = [words[3] for words in views if words[2] == f"{rank},48,1,1"]
    turns = [words[-1] for words in views if words[2] == "64,1,48,1" and f",{row}," in words[3]]
    assert fronts == [f"4,{row},{48 * row},{48 * row}"] * 2
    assert turns == [str(4 * rank)] * 2


@pytest.mark.parametrize(
    ("name", "blocks"), [("deepseek2-moe.gguf", 2), ("mistral3-dense.gguf", 2)]
)
def test_queries_scaled_by_position_read_a_factor_for_every_token(name: str, blocks: int) -> None:
    plain = lines(tiny_model(name))
    scaled = lines(changed(name, {"attention.temperature_scale": 0.1}))
    factors = "leaf f32 1,1,48,1 4,4,4,192 in"
    assert (plain.count(factors), scaled.count(factors)) == (0, 1)
    assert count(scaled, "mul") == count(plain, "mul") + blocks


def test_joined_projections_of_a_delta_rule_are_thirds_of_a_row() -> None:
    tiny = tiny_model("kimi-linear-moe.gguf")
    apart = tuple(f"blk.1.attn_{part}." for part in "qkv")
    kept = [tensor for tensor in tiny.tensors if not tensor.name.startswith(apart)]
    joined = Tensor("blk.1.attn_qkv.weight", (128, 384), F16)
    found = lines(replace(tiny, tensors=(*kept, joined)))
    thirds = [line.split() for line in found if line.startswith("view f32 128,48,1,1 4,1536,")]
    assert [words[-1] for words in thirds] == ["0", "512", "1024"]


@pytest.mark.parametrize(
    ("head", "matrices"), [(32, []), (64, [64, 64]), (96, []), (128, [128, 64]), (192, [64, 64])]
)
def test_quantized_caches_are_turned_by_matrices_that_divide_a_head(
    head: int, matrices: list[int]
) -> None:
    made = MadeUp(width=4 * head)
    command = "llama-server -m x -c 1024 -np 1 -fa on -ctk q8_0 -ctv q8_0"
    found = Asked(made.file(), command).lines(Batch(8, 1, 1))
    squares = [
        int(first)
        for first, second, *_ in (line.split()[2].split(",") for line in found if " in" in line)
        if first == second != "1"
    ]
    assert squares == matrices
