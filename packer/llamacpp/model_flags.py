"""Flags of one planned model server: every size written out.

Nothing is left to a default, because defaults differ between builds, and nothing to ``--fit``,
because it would size the server by whatever memory happens to be free when the pod starts.
"""

from collections.abc import Iterator

from packer.domain.server_options import DraftOptions, ServerOptions, SplitMode
from packer.domain.serving_options import ServingOptions
from packer.errors import InvalidInput, Problem

Words = Iterator[tuple[str, ...]]
_NGRAM_DEPTH_FLAGS = {
    "ngram-mod": "--spec-ngram-mod-n-max",
    "ngram-simple": "--spec-ngram-simple-size-m",
    "ngram-map-k": "--spec-ngram-map-k-size-m",
    "ngram-map-k4v": "--spec-ngram-map-k4v-size-m",
}


def model_flags(options: ServerOptions, serving: ServingOptions) -> tuple[tuple[str, ...], ...]:
    """Flags with their values, in the order people read them: model, context, caches, placement.

    Paths in ``serving`` replace the references in ``options``.

    Raises:
        InvalidInput: A size is left open, or a value cannot be written.
    """
    problems = tuple(_open_sizes(options))
    if problems:
        raise InvalidInput(problems)
    return (
        ("--model", serving.model_path),
        *_context(options),
        *_caches(options),
        *_placement(options),
        *_loading(options),
        *_speculation(options, serving),
        *_projector(options, serving),
    )


def _context(options: ServerOptions) -> Words:
    yield "--ctx-size", str(options.context_size)
    if options.context_per_slot is not None:
        yield "--kv-unified-per-slot", str(options.context_per_slot)
    yield "--parallel", str(options.slots)
    yield _switch("--kv-unified", is_on=bool(options.kv_unified))
    yield "--batch-size", str(options.batch_size)
    yield "--ubatch-size", str(options.ubatch_size)
    yield "--flash-attn", options.flash_attention.value
    if options.reranking:
        yield ("--reranking",)
    elif options.embedding:
        yield ("--embedding",)
    if options.pooling is not None:
        yield "--pooling", options.pooling
    if options.backend_sampling:
        yield ("--backend-sampling",)


def _caches(options: ServerOptions) -> Words:
    yield "--cache-type-k", options.cache_type_k
    yield "--cache-type-v", options.cache_type_v
    yield _switch("--kv-offload", is_on=options.kv_offload)
    if options.swa_full:
        yield ("--swa-full",)
    yield "--cache-ram", str(options.prompt_cache_mib)
    yield "--ctx-checkpoints", str(options.context_checkpoints)


def _placement(options: ServerOptions) -> Words:
    yield "--gpu-layers", _layers(options.gpu_layers)
    if options.devices is not None:
        yield "--device", ",".join(options.devices) or "none"
    yield "--split-mode", options.split_mode.value
    if options.tensor_split:
        yield "--tensor-split", ",".join(map(_share, options.tensor_split))
    if options.main_gpu or options.split_mode is not SplitMode.LAYER:
        yield "--main-gpu", str(options.main_gpu)
    if options.override_tensors:
        yield "--override-tensor", _overrides(options.override_tensors)
    if options.cpu_moe:
        yield ("--cpu-moe",)
    if options.cpu_moe_layers:
        yield "--n-cpu-moe", str(options.cpu_moe_layers)
    if options.cpu_ffn_layers:
        yield "--n-cpu-ffn", str(options.cpu_ffn_layers)
    yield _switch("--op-offload", is_on=options.op_offload)


def _loading(options: ServerOptions) -> Words:
    yield "--load-mode", options.load_mode
    yield "--lazy-mode", options.lazy_mode
    yield _switch("--repack", is_on=options.repack)
    if options.no_host:
        yield ("--no-host",)
    if options.lora:
        yield "--lora", ",".join(map(_quoted, options.lora))
    if options.override_metadata:
        pairs = (f"{key}={_typed(value)}" for key, value in options.override_metadata)
        yield "--override-kv", ",".join(map(_quoted, pairs))
    yield "--fit", "off"


def _speculation(options: ServerOptions, serving: ServingOptions) -> Words:
    if options.speculation:
        yield "--spec-type", ",".join(options.speculation)
    if options.draft_depth is not None:
        yield "--spec-draft-n-max", str(options.draft_depth)
    for kind in options.speculation:
        if kind in _NGRAM_DEPTH_FLAGS:
            yield _NGRAM_DEPTH_FLAGS[kind], str(options.ngram_depth)
    draft = options.draft
    if draft is not None:
        path = serving.draft_path or draft.model
        if path:
            yield "--spec-draft-model", path
        yield from _draft(draft)


def _draft(draft: DraftOptions) -> Words:
    yield "--spec-draft-ngl", _layers(draft.gpu_layers)
    yield "--spec-draft-type-k", draft.cache_type_k
    yield "--spec-draft-type-v", draft.cache_type_v
    if draft.devices is not None:
        yield "--spec-draft-device", ",".join(draft.devices) or "none"
    if draft.override_tensors:
        yield "--spec-draft-override-tensor", _overrides(draft.override_tensors)
    if draft.cpu_moe:
        yield ("--spec-draft-cpu-moe",)
    if draft.cpu_moe_layers:
        yield "--spec-draft-n-cpu-moe", str(draft.cpu_moe_layers)


def _projector(options: ServerOptions, serving: ServingOptions) -> Words:
    if options.projector is None:
        return
    yield "--mmproj", serving.projector_path or options.projector
    if options.projector_device is not None and options.projector_offload:
        yield "--mmproj-device", options.projector_device
    yield _switch("--mmproj-offload", is_on=options.projector_offload)
    if options.image_max_tokens is not None:
        yield "--image-max-tokens", str(options.image_max_tokens)


def _switch(name: str, *, is_on: bool) -> tuple[str]:
    return (name,) if is_on else (f"--no-{name.removeprefix('--')}",)


def _layers(count: int | None) -> str:
    return "all" if count is None else str(count)


def _share(share: float) -> str:
    return str(int(share)) if float(share).is_integer() else repr(share)


def _overrides(pairs: tuple[tuple[str, str], ...]) -> str:
    """Pairs as llama.cpp splits them again.

    Raises:
        InvalidInput: A pattern holds a comma or an equals sign, which llama.cpp cannot quote.
    """
    for pattern, _ in pairs:
        if "," in pattern or "=" in pattern:
            title = f"the tensor pattern {pattern!r} cannot be written"
            why = "llama.cpp splits at every comma and equals sign"
            raise InvalidInput(Problem("P0409", title, None, why))
    return ",".join(f"{pattern}={buffer}" for pattern, buffer in pairs)


def _quoted(text: str) -> str:
    """One value of a list; llama.cpp reads lists as rows of CSV."""
    if "," in text or text.startswith('"'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _typed(value: int | float | bool | str) -> str:
    """Value of a metadata key with its type."""
    if isinstance(value, bool):
        return f"bool:{str(value).lower()}"
    kind = {int: "int", float: "float"}.get(type(value), "str")
    return f"{kind}:{value}"


def _open_sizes(options: ServerOptions) -> Iterator[Problem]:
    """Sizes that llama.cpp would choose by itself."""
    wanted = {
        "--ctx-size": options.context_size is not None,
        "--parallel": options.slots is not None,
        "--tensor-split": len(options.devices or ()) < 2 or bool(options.tensor_split),
        "--spec-type": not (options.draft and options.draft.model) or bool(options.speculation),
    }
    for name, is_given in wanted.items():
        if not is_given:
            title = f"{name} is left open"
            yield Problem("P0408", title, None, "llama.cpp would choose it when the server starts")
