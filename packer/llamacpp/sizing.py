"""What each sizing flag does to the options, one rule per flag.

A rule gets the flag as given and changes what has been gathered so far; ValueError says why a value
is refused. Flags without a rule size nothing.

Source: llama.cpp b11434, common/arg.cpp, common_params_parser_init().
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from packer.domain.server_options import SplitMode
from packer.llamacpp.flag_table import Flag
from packer.llamacpp.flag_values import (
    CACHE_TYPES,
    LARGEST_INT,
    LOAD_MODES,
    POOLING_TYPES,
    SPECULATION_TYPES,
    choice,
    devices,
    flash_attention,
    gpu_layers,
    metadata_overrides,
    proportions,
    scaled_files,
    separated,
    slots,
    switch,
    tensor_overrides,
    whole,
)
from packer.llamacpp.gathered import LONGEST_NGRAM_DRAFT, Gathered
from packer.llamacpp.settings import Setting
from packer.llamacpp.shorthands import SHORTHANDS

_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
_DENSE = r"\.ffn_(up|down|gate)\."

Rule = Callable[[Gathered, Setting], None]


@cache
def rule_of(flag: Flag) -> Rule | None:
    """Rule of a flag, or None if it sizes nothing."""
    return next((_RULES[name] for name in flag.names if name in _RULES), None)


def _sets(key: str, read: Callable[[str], object]) -> Rule:
    def rule(gathered: Gathered, setting: Setting) -> None:
        gathered.options[key] = read(setting.value)

    return rule


def _switches(key: str, *, to: bool = True) -> Rule:
    def rule(gathered: Gathered, setting: Setting) -> None:
        gathered.options[key] = setting.is_on is to

    return rule


def _sets_draft(key: str, read: Callable[[str], object]) -> Rule:
    def rule(gathered: Gathered, setting: Setting) -> None:
        gathered.draft[key] = read(setting.value)

    return rule


def _names(which: str, way: str) -> Rule:
    def rule(gathered: Gathered, setting: Setting) -> None:
        setattr(getattr(gathered, which), way, setting.value)

    return rule


def _names_draft_file(gathered: Gathered, setting: Setting) -> None:
    gathered.draft_model.path = gathered.draft_model.repository_file = setting.value


def _appends(key: str, read: Callable[[str], tuple[object, ...]]) -> Rule:
    def rule(gathered: Gathered, setting: Setting) -> None:
        gathered.options[key] = (*gathered.options.get(key, ()), *read(setting.value))

    return rule


def _cpu_layers(which: str, key: str) -> Rule:
    """Every ``--n-cpu-moe`` adds its layers, so the largest one counts."""
    read = whole(lowest=0)

    def rule(gathered: Gathered, setting: Setting) -> None:
        options = getattr(gathered, which)
        options[key] = max(options.get(key, 0), read(setting.value))

    return rule


def _cpu_moe(which: str) -> Rule:
    def rule(gathered: Gathered, setting: Setting) -> None:
        getattr(gathered, which)["cpu_moe"] = True

    return rule


def _overrides(which: str) -> Rule:
    """``--override-tensor``: the first match wins.

    ServerOptions puts these before ``--cpu-moe`` and its kind. Where such a flag came earlier and
    an override sends tensors elsewhere, the flag is written out as the overrides it stands for.
    """

    def rule(gathered: Gathered, setting: Setting) -> None:
        options, new = getattr(gathered, which), tensor_overrides(setting.value)
        earlier = options.get("override_tensors", ())
        if any(buffer != "CPU" for _, buffer in new):
            earlier += _written_out(options)
        options["override_tensors"] = earlier + new

    return rule


def _written_out(options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Overrides that stand for the CPU flags so far; the flags are taken away."""
    patterns = [_EXPERTS] if options.pop("cpu_moe", False) else []
    for key, pattern in (("cpu_moe_layers", _EXPERTS), ("cpu_ffn_layers", _DENSE)):
        patterns += [rf"blk\.{layer}{pattern}" for layer in range(options.pop(key, 0))]
    return tuple((pattern, "CPU") for pattern in patterns)


def _metadata(gathered: Gathered, setting: Setting) -> None:
    """``--override-kv``: the first value of a key wins."""
    known = dict(gathered.options.get("override_metadata", ()))
    for key, value in metadata_overrides(setting.value):
        known.setdefault(key, value)
    gathered.options["override_metadata"] = tuple(known.items())


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
    names = devices(setting.value)
    if len(names) > 1:
        raise ValueError("only one device may be named")
    gathered.options["projector_offload"] = bool(names)
    gathered.options["projector_device"] = names[0] if names else None


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


def _not_modelled(is_harmless: Callable[[str], bool], what: str) -> Rule:
    def rule(gathered: Gathered, setting: Setting) -> None:
        if not is_harmless(setting.value):
            raise NotImplementedError(what)

    return rule


def _notes(what: str) -> Rule:
    def rule(gathered: Gathered, setting: Setting) -> None:
        if what not in gathered.notes:
            gathered.notes.append(what)

    return rule


def _per_slot(text: str) -> int | None:
    tokens = whole()(text)
    return tokens if tokens > 0 else None


_SIZE = whole(0)
_RULES: dict[str, Rule] = {
    "--model": _names("model", "path"),
    "--model-url": _names("model", "url"),
    "--docker-repo": _names("model", "docker"),
    "--hf-repo": _names("model", "repository"),
    "--hf-file": _names("model", "repository_file"),
    "--ctx-size": _sets("context_size", _SIZE),
    "--kv-unified-per-slot": _sets("context_per_slot", _per_slot),
    "--parallel": _sets("slots", slots),
    "--kv-unified": _switches("kv_unified"),
    "--batch-size": _sets("batch_size", whole(1)),
    "--ubatch-size": _sets("ubatch_size", _SIZE),
    "--gpu-layers": _sets("gpu_layers", gpu_layers),
    "--tensor-split": _sets("tensor_split", proportions),
    "--split-mode": _sets("split_mode", lambda text: SplitMode(choice(list(SplitMode))(text))),
    "--main-gpu": _sets("main_gpu", whole()),
    "--device": _sets("devices", devices),
    "--cache-type-k": _sets("cache_type_k", choice(CACHE_TYPES)),
    "--cache-type-v": _sets("cache_type_v", choice(CACHE_TYPES)),
    "--flash-attn": _sets("flash_attention", flash_attention),
    "--cpu-moe": _cpu_moe("options"),
    "--n-cpu-moe": _cpu_layers("options", "cpu_moe_layers"),
    "--n-cpu-ffn": _cpu_layers("options", "cpu_ffn_layers"),
    "--override-tensor": _overrides("options"),
    "--override-kv": _metadata,
    "--kv-offload": _switches("kv_offload"),
    "--op-offload": _switches("op_offload"),
    "--swa-full": _switches("swa_full"),
    "--embedding": _switches("embedding"),
    "--reranking": _reranking,
    "--pooling": _sets("pooling", choice(POOLING_TYPES)),
    "--load-mode": _sets("load_mode", choice(LOAD_MODES)),
    "--lazy-mode": _sets("lazy_mode", choice(("on", "auto", "off"))),
    "--repack": _switches("repack"),
    "--no-host": _switches("no_host"),
    "--fit": _sets("fit", switch),
    "--lora": _appends("lora", separated),
    "--lora-scaled": _appends("lora", scaled_files),
    "--cache-ram": _sets("prompt_cache_mib", whole(-1)),
    "--ctx-checkpoints": _sets("context_checkpoints", _SIZE),
    "--backend-sampling": _switches("backend_sampling"),
    "--mmproj": _names("projector", "path"),
    "--mmproj-url": _names("projector", "url"),
    "--mmproj-auto": _uses_projector,
    "--mmproj-offload": _switches("projector_offload"),
    "--mmproj-device": _projector_device,
    "--image-max-tokens": _sets("image_max_tokens", whole()),
    "--spec-type": _speculation,
    "--spec-default": _default_speculation,
    "--spec-draft-n-max": _sets("draft_depth", _SIZE),
    "--spec-ngram-mod-n-max": _ngram_draft("ngram-mod", 0),
    "--spec-ngram-simple-size-m": _ngram_draft("ngram-simple", 1),
    "--spec-ngram-map-k-size-m": _ngram_draft("ngram-map-k", 1),
    "--spec-ngram-map-k4v-size-m": _ngram_draft("ngram-map-k4v", 1),
    "--spec-draft-model": _names_draft_file,
    "--spec-draft-hf": _names("draft_model", "repository"),
    "--spec-draft-ngl": _sets_draft("gpu_layers", gpu_layers),
    "--spec-draft-type-k": _sets_draft("cache_type_k", choice(CACHE_TYPES)),
    "--spec-draft-type-v": _sets_draft("cache_type_v", choice(CACHE_TYPES)),
    "--spec-draft-device": _sets_draft("devices", devices),
    "--spec-draft-cpu-moe": _cpu_moe("draft"),
    "--spec-draft-n-cpu-moe": _cpu_layers("draft", "cpu_moe_layers"),
    "--spec-draft-override-tensor": _overrides("draft"),
    "--rpc": _not_modelled(lambda _: False, "memory of devices behind --rpc is not modelled"),
    "--moe-cache-mib": _not_modelled(
        lambda text: whole(0, LARGEST_INT)(text) == 0,
        "the cache of experts on the GPU is not modelled",
    ),
    "--control-vector": _notes("control vectors are not counted: 4 bytes × width per layer"),
    "--control-vector-scaled": _notes("control vectors are not counted: 4 bytes × width per layer"),
    **dict.fromkeys(SHORTHANDS, _shorthand),
}
