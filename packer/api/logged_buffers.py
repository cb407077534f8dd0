"""Buffers a running server logged, beside the planned bytes; what its log lacks is said."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from packer.api.server_answers import AskedReplica, file_name, model_file, planned_context
from packer.plan.finding import Finding
from packer.plan.memory_check import HOST, PARTS, TOGETHER, BytesRow, LoggedBytes, compare_bytes
from packer.units import MIB

if TYPE_CHECKING:
    from packer.llamacpp.server_log import LoadedContext, LoadedModel, ServerLog
    from packer.plan.plan import Placement

_MAPPED = "_Mapped"
_SPLIT = "_Split"
_BEGINNING = "initializing ..."
"""Of every server's log. Source: llama.cpp b11434, tools/server/server.cpp."""
_QUIET = "it names no buffers: render with --log-buffers (LLAMA_ARG_LOG_VERBOSITY=4)"
_ROTATED = "its beginning is gone, such as after a rotation: restart the pod to see it"


def log_findings(asked: AskedReplica) -> Iterator[Finding]:
    """Contexts and bytes of every place as the log tells them, or why it does not."""
    from packer.llamacpp.server_log import read_server_log

    lines, why_not = _lines(asked)
    log = read_server_log(lines)
    why_not = why_not or _shortcoming(log, lines)
    if why_not:
        yield Finding(asked.name, "log", "buffers", why_not, None)
        return
    yield from _loaded(asked, log.models[0])
    for row in compare_bytes(asked.placement, logged_bytes(log, asked)):
        yield _finding(asked, row)


def _shortcoming(log: "ServerLog", lines: Sequence[str]) -> str:
    """Why a log cannot be compared; a part of one would give sums that lack something."""
    if not any(_BEGINNING in line for line in lines):
        return _ROTATED
    if not log.models:
        return _QUIET
    return "" if log.models[0].contexts else "it ends before a context was made"


def _lines(asked: AskedReplica) -> tuple[list[str], str]:
    """Lines of one replica, or why there are none."""
    from packer.llamacpp.router_log import model_logs

    if asked.log.why_not:
        return [], asked.log.why_not
    lines = asked.log.text.splitlines()
    if not asked.is_routed:
        return lines, ""
    logs = model_logs(lines)
    if asked.placement.workload in logs:
        return logs[asked.placement.workload], ""
    return [], "the router's log does not say which lines are this model's: rotated, or quiet"


def _loaded(asked: AskedReplica, model: "LoadedModel") -> Iterator[Finding]:
    """What the model and its context say of themselves."""
    placement, counts = asked.placement, model.contexts[0].counts
    on_cards = sum(placement.variant.layers_per_gpu)
    for what, planned, found in (
        ("log model file", model_file(placement), file_name(model.path)),
        ("log slots", str(placement.variant.slots), counts.get("n_seq_max")),
        ("log context per slot", str(planned_context(placement)), counts.get("n_ctx_seq")),
        ("log layers on cards", str(on_cards), model.gpu_layers),
    ):
        if found is not None:
            yield Finding(asked.name, what, planned, str(found), str(found) == planned)


def logged_bytes(log: "ServerLog", asked: AskedReplica) -> LoggedBytes:
    """Sizes of a log by place and part; the second context is the drafter's."""
    found: dict[int, dict[str, int]] = {}
    for prefix, sizes in _named_sizes(log):
        for buffer, size in sizes.items():
            place = asked.devices.index(buffer) if buffer in asked.devices else HOST
            parts = found.setdefault(place, {})
            parts[prefix] = parts.get(prefix, 0) + size
    mapped = sum(
        size
        for model in log.models
        for buffer, size in model.weights_bytes.items()
        if buffer.endswith(_MAPPED)
    )
    return LoggedBytes(found, mapped, _untold(log, found, asked.placement))


def _named_sizes(log: "ServerLog") -> Iterator[tuple[str, Mapping[str, int]]]:
    """Part and sizes by buffer type of everything in a log."""
    target, *drafts = log.models
    yield "weights", target.weights_bytes
    first, *others = target.contexts
    yield from _context_sizes(first, "")
    for context in others:
        yield from _context_sizes(context, "draft ")
    for draft in drafts:
        yield "draft weights", draft.weights_bytes
        for context in draft.contexts:
            yield from _context_sizes(context, "draft ")


def _context_sizes(
    context: "LoadedContext", prefix: str
) -> Iterator[tuple[str, Mapping[str, int]]]:
    yield f"{prefix}context", context.cache_bytes
    yield f"{prefix}compute", context.compute_bytes
    # The planned output buffer is that of all contexts.
    yield "output", context.output_bytes


def _untold(
    log: "ServerLog", found: Mapping[int, Mapping[str, int]], placement: "Placement"
) -> dict[str, str]:
    """Parts that cannot be compared, and why."""
    untold: dict[str, str] = {}
    told = {part for parts in found.values() for part in parts}
    for part in PARTS:
        if part not in told and _is_planned(placement, part):
            untold[part] = "no line of the log tells it"
    if any(_SPLIT in buffer for model in log.models for buffer in model.weights_bytes):
        untold["weights"] = "rows are split over the cards; the log tells their sum only"
    if any(part.startswith("draft") for part in untold):
        untold["draft"] = "no line of the log tells it"
    return untold


def _is_planned(placement: "Placement", part: str) -> bool:
    """Whether the plan has anything of a part, anywhere."""
    name = f"{part.replace(' ', '_')}_bytes"
    on_cards = sum(getattr(device, name, 0) for device in placement.devices)
    on_host = 0 if part.startswith("draft") else getattr(placement.host, name)
    return bool(on_cards + on_host if part != "output" else on_host)


def _finding(asked: AskedReplica, row: BytesRow) -> Finding:
    gpus = asked.placement.gpus
    where = "host" if row.place == HOST else f"gpu{gpus[row.place]}"
    what = f"{where} buffers together" if row.part == TOGETHER else f"{where} {row.part}"
    found = row.why_not if row.observed_bytes is None else mebibytes(row.observed_bytes)
    return Finding(
        asked.name,
        what,
        mebibytes(row.predicted_bytes),
        found,
        row.is_as_planned,
        _allowed(row),
        str(row.basis),
    )


def _allowed(row: BytesRow) -> str:
    if row.below_bytes is None or row.above_bytes is None:
        return "no band is planned"
    if row.below_bytes == row.above_bytes:
        return f"±{mebibytes(row.below_bytes)}"
    return f"−{mebibytes(row.below_bytes)} to +{mebibytes(row.above_bytes)}"


def mebibytes(size: int) -> str:
    """A size with as many digits as llama.cpp prints."""
    return f"{size / MIB:.2f} MiB"
