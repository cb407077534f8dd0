"""What each sizing flag does to the options, one rule per flag; others size nothing.

Source: llama.cpp b11434, common/arg.cpp, common_params_parser_init().
"""

from functools import cache

from packer.domain.server_options import SplitMode
from packer.llamacpp.flag_table import Flag
from packer.llamacpp.flag_values import (
    CACHE_TYPES,
    LOAD_MODES,
    POOLING_TYPES,
    SPECULATION_TYPES,
    choice,
    devices,
    flash_attention,
    gpu_layers,
    proportions,
    scaled_files,
    separated,
    slots,
    switch,
    whole,
)
from packer.llamacpp.gathered import LONGEST_NGRAM_DRAFT, Gathered
from packer.llamacpp.rules import (
    Rule,
    appends,
    cpu_layers,
    metadata,
    names,
    not_modelled,
    notes,
    overrides,
    sets,
    switches,
)
from packer.llamacpp.settings import Setting
from packer.llamacpp.shorthands import SHORTHANDS


@cache
def rule_of(flag: Flag) -> Rule | None:
    """Rule of a flag, or None if it sizes nothing."""
    return next((_RULES[name] for name in flag.names if name in _RULES), None)


def _names_draft_file(gathered: Gathered, setting: Setting) -> None:
    gathered.draft_model.path = gathered.draft_model.repository_file = setting.value


def _reranking(gathered: Gathered, setting: Setting) -> None:
    gathered.options |= {"reranking": True, "embedding": True, "pooling": "rank"}


def _speculation(gathered: Gathered, setting: Setting) -> None:
    named = tuple(map(choice(SPECULATION_TYPES), setting.value.split(",")))
    _add_speculation(gathered, ("none",) if "none" in named else named)


def _add_speculation(gathered: Gathered, named: tuple[str, ...]) -> None:
    all_named = dict.fromkeys((*gathered.options.get("speculation", ()), *named))
    if len(all_named) > 1:
        all_named.pop("none", None)
    gathered.options["speculation"] = tuple(all_named)


def _default_speculation(gathered: Gathered, setting: Setting) -> None:
    _add_speculation(gathered, ("ngram-mod",))
    gathered.ngram_drafts["ngram-mod"] = LONGEST_NGRAM_DRAFT["ngram-mod"]


def _ngram_draft(kind: str, lowest: int) -> Rule:
    read = whole(lowest, 1024)

    def rule(gathered: Gathered, setting: Setting) -> None:
        gathered.ngram_drafts[kind] = read(setting.value)

    return rule


def _projector_device(gathered: Gathered, setting: Setting) -> None:
    named = devices(setting.value)
    if len(named) > 1:
        raise ValueError("only one device may be named")
    gathered.options["projector_offload"] = bool(named)
    gathered.options["projector_device"] = named[0] if named else None


def _uses_projector(gathered: Gathered, setting: Setting) -> None:
    gathered.uses_projector = setting.is_on


def _shorthand(gathered: Gathered, setting: Setting) -> None:
    meant = SHORTHANDS[setting.flag.names[0]]
    for source, repository in ((gathered.model, meant.model), (gathered.draft_model, meant.draft)):
        if repository:
            owner, name, *file = repository.split("/")
            source.repository = f"{owner}/{name}"
            source.repository_file = file[0] if file else source.repository_file
    gathered.options |= meant.options


def _per_slot(text: str) -> int | None:
    tokens = whole()(text)
    return tokens if tokens > 0 else None


def sizing_flags() -> tuple[str, ...]:
    """Flags that have a rule, one spelling each."""
    return tuple(_RULES)


_SIZE = whole(0)
_RULES: dict[str, Rule] = {
    "--model": names("model", "path"),
    "--model-url": names("model", "url"),
    "--docker-repo": names("model", "docker"),
    "--hf-repo": names("model", "repository"),
    "--hf-file": names("model", "repository_file"),
    "--ctx-size": sets("context_size", _SIZE),
    "--kv-unified-per-slot": sets("context_per_slot", _per_slot),
    "--parallel": sets("slots", slots),
    "--kv-unified": switches("kv_unified"),
    "--batch-size": sets("batch_size", whole(1)),
    "--ubatch-size": sets("ubatch_size", _SIZE),
    "--gpu-layers": sets("gpu_layers", gpu_layers),
    "--tensor-split": sets("tensor_split", proportions),
    "--split-mode": sets("split_mode", lambda text: SplitMode(choice(list(SplitMode))(text))),
    "--main-gpu": sets("main_gpu", whole()),
    "--device": sets("devices", devices),
    "--cache-type-k": sets("cache_type_k", choice(CACHE_TYPES)),
    "--cache-type-v": sets("cache_type_v", choice(CACHE_TYPES)),
    "--flash-attn": sets("flash_attention", flash_attention),
    "--cpu-moe": switches("cpu_moe"),
    "--n-cpu-moe": cpu_layers("options", "cpu_moe_layers"),
    "--n-cpu-ffn": cpu_layers("options", "cpu_ffn_layers"),
    "--override-tensor": overrides("options"),
    "--override-kv": metadata,
    "--kv-offload": switches("kv_offload"),
    "--op-offload": switches("op_offload"),
    "--swa-full": switches("swa_full"),
    "--embedding": switches("embedding"),
    "--reranking": _reranking,
    "--pooling": sets("pooling", choice(POOLING_TYPES)),
    "--load-mode": sets("load_mode", choice(LOAD_MODES)),
    "--lazy-mode": sets("lazy_mode", choice(("on", "auto", "off"))),
    "--repack": switches("repack"),
    "--no-host": switches("no_host"),
    "--fit": sets("fit", switch),
    "--lora": appends("lora", separated),
    "--lora-scaled": appends("lora", scaled_files),
    "--cache-ram": sets("prompt_cache_mib", whole(-1)),
    "--ctx-checkpoints": sets("context_checkpoints", _SIZE),
    "--backend-sampling": switches("backend_sampling"),
    "--mmproj": names("projector", "path"),
    "--mmproj-url": names("projector", "url"),
    "--mmproj-auto": _uses_projector,
    "--mmproj-offload": switches("projector_offload"),
    "--mmproj-device": _projector_device,
    "--image-max-tokens": sets("image_max_tokens", whole()),
    "--spec-type": _speculation,
    "--spec-default": _default_speculation,
    "--spec-draft-n-max": sets("draft_depth", _SIZE),
    "--spec-ngram-mod-n-max": _ngram_draft("ngram-mod", 0),
    "--spec-ngram-simple-size-m": _ngram_draft("ngram-simple", 1),
    "--spec-ngram-map-k-size-m": _ngram_draft("ngram-map-k", 1),
    "--spec-ngram-map-k4v-size-m": _ngram_draft("ngram-map-k4v", 1),
    "--spec-draft-model": _names_draft_file,
    "--spec-draft-hf": names("draft_model", "repository"),
    "--spec-draft-ngl": sets("gpu_layers", gpu_layers, "draft"),
    "--spec-draft-type-k": sets("cache_type_k", choice(CACHE_TYPES), "draft"),
    "--spec-draft-type-v": sets("cache_type_v", choice(CACHE_TYPES), "draft"),
    "--spec-draft-device": sets("devices", devices, "draft"),
    "--spec-draft-cpu-moe": switches("cpu_moe", "draft"),
    "--spec-draft-n-cpu-moe": cpu_layers("draft", "cpu_moe_layers"),
    "--spec-draft-override-tensor": overrides("draft"),
    "--rpc": not_modelled(lambda _: False, "memory of devices behind --rpc is not modelled"),
    "--moe-cache-mib": not_modelled(
        lambda text: whole(0)(text) == 0,
        "the cache of experts on the GPU is not modelled",
    ),
    "--control-vector": notes("control vectors are not counted: 4 bytes × width per layer"),
    "--control-vector-scaled": notes("control vectors are not counted: 4 bytes × width per layer"),
    **dict.fromkeys(SHORTHANDS, _shorthand),
}
