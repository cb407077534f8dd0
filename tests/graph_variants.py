"""Models of which there is no file: tiny ones with more blocks and experts, other keys or tensors.

Tiny files have two blocks and two experts, all of them chosen, so periods of blocks and most
switches of a file show in none of them. ``tests/llamacpp/record_graphs.py`` asks the real llama.cpp
for the graphs of these, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from packer.domain.model import MetadataValue, ModelFile, Tensor
from packer.domain.quantization import ELEMENT_TYPES_BY_NAME
from tests.memory_truth import rows, tiny_content, tiny_model, tiny_or_catalogue_model

_F32, _F16 = ELEMENT_TYPES_BY_NAME["f32"], ELEMENT_TYPES_BY_NAME["f16"]
_DEEP = 5
_EXPERTS = 4
_OF_EXPERTS = ("_exps.", "ffn_gate_inp.", "exp_probs_b")
_LIKE_THE_LAST = frozenset(
    {
        "afmoe", "bailingmoe2", "bailingmoe3", "cohere2moe", "deepseek", "deepseek2", "deepseek32",
        "dots1", "ernie4_5-moe", "exaone-moe", "glm-dsa", "glm4moe", "kimi-k3", "kimi-linear",
        "laguna", "lfm2moe", "mimo2", "minimax-m3", "mistral4",
    }
)  # fmt: skip
"""Architectures whose leading blocks are dense, so that further blocks are like the last."""
# Llama.cpp refuses other numbers of experts than its groups are made for.
_FIXED_EXPERTS = "grovemoe-"
# llama.cpp loads experts in a Refact file, but its graph has no place for them.
NOT_A_MODEL = "refact-moe.gguf"
_WITH_NEXTN = (
    "deepseek2-moe", "deepseek32-moe", "glm-dsa-moe", "glm4moe-moe", "hy_v3-moe", "qwen35-dense",
    "qwen35moe-moe", "qwen3next-moe",
)  # fmt: skip
_SCALES = ("scale", "input_scale")


@dataclass(frozen=True)
class Variant:
    """How a model differs from a tiny file.

    Attributes:
        base: The file.
        blocks: How many there are, 0 for as many as in the file.
        experts: Likewise, where the file has some.
        keys: Metadata of the architecture; None leaves one out.
        without: Tensors that are left out, by their name in a block or outside of all.
        with_in_blocks: Tensors that every block has besides.
        vocabulary: Tokens, 0 for as many as in the file.
        has_nextn: Whether the last block is one for multi-token prediction, like the file's last.
        owns_head: Whether that has an embedding, a norm and an output matrix of its own.
    """

    base: str
    blocks: int = 0
    experts: int = 0
    keys: Mapping[str, MetadataValue | None] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    with_in_blocks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    vocabulary: int = 0
    has_nextn: bool = False
    owns_head: bool = False

    def model(self) -> ModelFile:
        """The model."""
        tiny = tiny_model(self.base)
        name, metadata = tiny.architecture, dict(tiny.metadata)
        count = metadata[f"{name}.block_count"]
        assert isinstance(count, int)
        origins = _origins(name, count, self.blocks or count)
        if self.has_nextn:
            origins[-1] = count - 1
            metadata[f"{name}.nextn_predict_layers"] = 1
        for key, value in metadata.items():
            if isinstance(value, tuple) and len(value) == count and key.startswith(f"{name}."):
                metadata[key] = tuple(value[origin] for origin in origins)
        metadata[f"{name}.block_count"] = len(origins)
        if self.experts and metadata.get(f"{name}.expert_count"):
            metadata[f"{name}.expert_count"] = self.experts
        for key, said in self.keys.items():
            if said is None:
                del metadata[f"{name}.{key}"]
            else:
                metadata[f"{name}.{key}"] = said
        if self.vocabulary:
            metadata[f"{name}.vocab_size"] = self.vocabulary
        return replace(
            tiny,
            metadata=metadata,
            tensors=tuple(self._tensors(tiny, origins)),
            vocabulary_size=self.vocabulary or tiny.vocabulary_size,
        )

    def _tensors(self, tiny: ModelFile, origins: list[int]) -> list[Tensor]:
        found = [one for one in tiny.tensors if not one.name.startswith("blk.")]
        for block, origin in enumerate(origins):
            start = f"blk.{origin}."
            found += [
                replace(one, name=f"blk.{block}.{one.name.removeprefix(start)}")
                for one in tiny.tensors
                if one.name.startswith(start)
            ]
            found += [
                Tensor(f"blk.{block}.{end}", shape, _F32 if len(shape) == 1 else _F16)
                for end, shape in self.with_in_blocks.items()
            ]
        kept = [one for one in found if _in_block(one) not in self.without]
        if self.has_nextn:
            kept += self._nextn(tiny, f"blk.{len(origins) - 1}.nextn.")
        was = tiny.metadata.get(f"{tiny.architecture}.expert_count", 0)
        if not self.experts or not was:
            return kept
        return [
            replace(one, shape=(*one.shape[:-1], self.experts))
            if one.shape[-1] == was and any(part in one.name for part in _OF_EXPERTS)
            else one
            for one in kept
        ]

    def _nextn(self, tiny: ModelFile, start: str) -> list[Tensor]:
        """Tensors of a block for multi-token prediction."""
        table = next(one for one in tiny.tensors if one.name == "token_embd.weight")
        width = table.shape[0]
        shapes = {"eh_proj": (2 * width, width), "enorm": (width,), "hnorm": (width,)}
        if self.owns_head:
            shapes |= {
                "shared_head_norm": (width,),
                "embed_tokens": table.shape,
                "shared_head_head": table.shape,
            }
        return [
            Tensor(f"{start}{end}.weight", shape, _F32 if len(shape) == 1 else _F16)
            for end, shape in shapes.items()
        ]


def _origins(architecture: str, count: int, blocks: int) -> list[int]:
    """Blocks of the file that the model's are like."""
    if architecture in _LIKE_THE_LAST:
        return [min(block, count - 1) for block in range(blocks)]
    return [block % count for block in range(blocks)]


def _in_block(tensor: Tensor) -> str:
    """Name of a tensor without its block."""
    return tensor.name.split(".", 2)[2] if tensor.name.startswith("blk.") else tensor.name


def _deep(base: str) -> Variant:
    keys = {"interleave_moe_layer_step": 1} if base.startswith("ernie4_5-moe-") else {}
    return Variant(base, _DEEP, 0 if base.startswith(_FIXED_EXPERTS) else _EXPERTS, keys)


def _named(base: str) -> str:
    return f"{base}.gguf"


def _experts(base: str) -> dict[str, Variant]:
    """What a file may say of its experts."""
    said: dict[str, dict[str, MetadataValue | None]] = {
        "one-chosen": {"expert_used_count": 1},
        "normalized": {"expert_weights_norm": True},
        "scaled": {"expert_weights_scale": 2.5},
        "softmax": {"expert_gating_func": 1},
        "chosen-softmax": {"expert_gating_func": 3},
        "grouped": {
            "expert_group_count": 4,
            "expert_group_used_count": 2,
            "expert_used_count": 3,
        },
    }
    return {
        f"{base}+{what}.gguf": Variant(_named(base), 0, 8 if what == "grouped" else 4, keys)
        for what, keys in said.items()
    }


def _switched(base: str, what: str, **keys: MetadataValue | None) -> dict[str, Variant]:
    """Other values of metadata, two underscores for a dot."""
    changed = {key.replace("__", "."): value for key, value in keys.items()}
    blocks = max((len(one) for one in keys.values() if isinstance(one, tuple)), default=0)
    return {f"{base}+{what}.gguf": Variant(_named(base), blocks, keys=changed)}


@cache
def variants() -> Mapping[str, Variant]:
    """Variants by the name of the file that they would be."""
    names = sorted({row["cmd"].split()[2] for row in rows("truth_architectures")} - {NOT_A_MODEL})
    return {
        **{f"{one.removesuffix('.gguf')}+deep.gguf": _deep(one) for one in names},
        **_experts("afmoe-moe"),
        **_experts("bailingmoe-moe"),
        **_experts("deepseek2-moe"),
        **_experts("glm-dsa-moe"),
        **_experts("glm4moe-moe"),
        **_experts("kimi-k3-moe"),
        **_experts("lfm2moe-moe"),
        **_experts("llama-moe"),
        **_experts("mellum-moe"),
        **_experts("qwen3moe-moe"),
        **_switched("deepseek2-moe", "ungated", expert_gating_func=None),
        **_switched("glm-dsa-moe", "ungated", expert_gating_func=None),
        **_switched("glm4moe-moe", "ungated", expert_gating_func=None),
        **_switched("mistral4-moe", "ungated", expert_gating_func=None),
        **_switched("paddleocr-moe", "ungated", expert_gating_func=None),
        **_switched("deepseek2-moe", "placed", attention__temperature_scale=0.1),
        **_switched("mistral3-dense", "placed", attention__temperature_scale=0.1),
        **_switched("mistral4-moe", "placed", attention__temperature_scale=0.1),
        **_switched("smallthinker-moe", "windowless", attention__sliding_window=0),
        **_switched("exaone4-dense", "windowless", attention__sliding_window=0),
        **_switched("cohere2moe-moe", "mixed", attention__sliding_window_pattern=(0, 1, 0, 1)),
        **_switched("afmoe-moe", "mixed", attention__sliding_window_pattern=(1, 0, 0, 1)),
        **_switched("exaone-moe-moe", "mixed", attention__sliding_window_pattern=(1, 0, 0, 1)),
        **_switched("laguna-moe", "mixed", attention__sliding_window_pattern=(1, 0, 0, 1)),
        **_switched("maple-moe", "mixed", attention__sliding_window_pattern=(1, 0, 0, 1)),
        **_switched("gptneox-dense", "serial", use_parallel_residual=False),
        **_switched("gptneox-dense", "parallel", use_parallel_residual=True),
        **_switched("mpt-dense", "clamped", attention__clamp_kqv=8.0),
        **_switched("mpt-dense", "unclamped", attention__clamp_kqv=0.0),
        **_switched("olmo-dense", "clamped", attention__clamp_kqv=8.0),
        **_switched("dbrx-moe", "clamped", attention__clamp_kqv=8.0),
        **_switched("granite-dense", "turning", rope__scaling__finetuned=True),
        **_switched("granite-dense", "unturned", rope__scaling__finetuned=False),
        **_switched("granitehybrid-dense", "turning", rope__scaling__finetuned=True),
        **_switched("granitehybrid-dense", "unturned", rope__scaling__finetuned=False),
        **_switched("granite-dense", "unscaled", residual_scale=0.0, embedding_scale=0.0),
        **_switched("granite-dense", "scaled", residual_scale=0.5, embedding_scale=2.0),
        **_switched("granite-dense", "stacked", deepstack_mapping=(-1, 0, 1, -1)),
        **_switched("granite_swa-dense", "stacked", deepstack_mapping=(-1, 0, -1, 1)),
        **_switched("granite_swa-dense", "listed", attention__rope_pattern=(1, 0, 0, 1)),
        **_switched("granitehybrid-dense", "unscaled", residual_scale=0.0, logit_scale=0.0),
        **_switched("minicpm-dense", "unscaled", residual_scale=0.0, embedding_scale=0.0),
        **_switched("qwen3vl-dense", "stacked", n_deepstack_layers=1),
        **_switched("qwen3vlmoe-moe", "stacked", n_deepstack_layers=1),
        **_switched("gemma2-dense", "uncapped", final_logit_softcapping=0.0),
        **_switched("cohere2-dense", "unscaled", logit_scale=0.0),
        **_switched("command-r-dense", "scaled", logit_scale=0.5),
        **_switched("command-r-dense", "unscaled", logit_scale=0.0),
        **_switched("mimo2-moe", "scaled", attention__value_scale=0.5),
        **_switched("mamba-dense", "normed", ssm__dt_b_c_rms=True),
        **_switched("bailingmoe3-moe", "limited", swiglu_clamp_exp=(0.0, 7.0, 0.0, 7.0)),
        **_switched("bailingmoe3-moe", "shared-limited", swiglu_clamp_shexp=(0.0, 0.0, 7.0, 7.0)),
        **_switched("maple-moe", "limited", swiglu_clamp_exp=(0.0, 7.0, 0.0, 7.0)),
        **_switched("kimi-k3-moe", "unbounded", kda__gate_lower_bound=None),
        **_switched("kimi-k3-moe", "one-sided", activation__situ_linear_beta=0.0),
        "kimi-k3-moe+remembering.gguf": Variant(
            "kimi-k3-moe.gguf", 7, keys={"attn_res.block_size": 3}
        ),
        "nomic-bert-moe-dense+half.gguf": Variant(
            "nomic-bert-moe-dense.gguf", 6, keys={"moe_every_n_layers": 2}
        ),
        # As GLM 4.7 Flash, whose early files say nothing either; the other has its blocks alone.
        "deepseek2-moe+flash.gguf": Variant(
            "deepseek2-moe.gguf", 47, keys={"expert_gating_func": None}, vocabulary=154880
        ),
        "deepseek2-moe+long.gguf": Variant(
            "deepseek2-moe.gguf", 48, keys={"expert_gating_func": None}
        ),
        **{
            f"{base}+twice.gguf": Variant(_named(base), 9, _EXPERTS)
            for base in ("llama4-moe", "smollm3-dense", "afmoe-moe", "smallthinker-moe")
        },
        **{
            f"{base}+straight.gguf": Variant(
                _named(base), keys={"rope.dimension_sections": (0, 0, 0, 0)}
            )
            for base in ("glm4-dense", "glm4moe-moe", "hunyuan_vl-dense")
        },
        **{
            f"{base}+split.gguf": Variant(
                _named(base), keys={"rope.dimension_sections": (32, 32, 32, 32)}
            )
            for base in ("llama-dense", "qwen3-dense")
        },
        "baichuan-dense+32.gguf": Variant("baichuan-dense.gguf", 32),
        "baichuan-dense+40.gguf": Variant("baichuan-dense.gguf", 40),
        "stablelm-dense+parallel.gguf": Variant(
            "stablelm-dense.gguf", without=("ffn_norm.weight", "ffn_norm.bias")
        ),
        "glm4moe-moe+bare.gguf": Variant(
            "glm4moe-moe.gguf", without=("attn_q_norm.weight", "attn_k_norm.weight")
        ),
        **{
            f"{base}+{what}.gguf": Variant(_named(base), 4, has_nextn=True, owns_head=what == "own")
            for base in _WITH_NEXTN
            for what in ("nextn", "own")
        },
        **{
            f"{base}-dense+tied.gguf": Variant(f"{base}-dense.gguf", without=("output.weight",))
            for base in ("llama", "qwen3", "gemma3", "gpt2", "mpt", "bloom")
        },
        **{
            f"{base}-dense+joined.gguf": Variant(
                f"{base}-dense.gguf",
                without=tuple(
                    f"attn_{part}.{end}" for part in "qkv" for end in ("weight", *_SCALES)
                ),
                with_in_blocks={"attn_qkv.weight": (256, 768)},
            )
            for base in ("llama", "qwen2", "seed_oss")
        },
    }


def recorded_model(name: str) -> ModelFile:
    """Model that the record of graphs names: of a file, or a variant of one."""
    found = variants().get(name)
    return tiny_or_catalogue_model(name) if found is None else _model(name)


@cache
def _model(name: str) -> ModelFile:
    return variants()[name].model()


def recorded_content(name: str) -> bytes | None:
    """Header of the tiny file that a model of the record is, or is a variant of."""
    return tiny_content(tiny_base(name))


def tiny_base(name: str) -> str:
    """File that a model of the record is, or is a variant of."""
    found = variants().get(name)
    return name if found is None else found.base
