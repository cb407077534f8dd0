"""The article on multi-token prediction for a 16 GB card: contexts, speeds, decisions."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from packer.catalogue.gpus import find_gpu
from packer.catalogue.models import load_model_file
from packer.domain.server_options import ServerOptions
from packer.domain.speculation import NO_SPECULATION, Drafter, Speculation
from packer.memory.estimate import estimate_memory
from packer.memory.result import MemoryEstimate
from packer.memory.visible_card import visible_card
from packer.performance.server_work import server_work
from packer.performance.speculation_choice import (
    SpeculationVerdict,
    choose_speculation,
    judge_speculation,
)
from packer.units import KIB, MIB

QUANTIZATION = "IQ3_XXS"
_LONGEST_KI = 256
_DEPTHS = (0, 1, 2, 3)
_CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as above", {}),
    ("a physical batch of 256", {"ubatch": 256}),
    ("a build that reserves no more logits than are asked for", {"build": "b9600"}),
)
_UBATCH = 512


def memory_of(article: dict[str, Any], row: dict[str, Any], context: int) -> MemoryEstimate:
    """Memory of one row's server with a context [tokens]."""
    model, gpu, cache_type = row["model"], row.get("gpu", article["gpu"]), row["cache"]
    ubatch = article.get("ubatch", _UBATCH)
    return _memory(model, gpu, article["build"], cache_type, row["drafted"], context, ubatch)


@cache
def _memory(
    model: str, gpu: str, build: str, cache_type: str, drafted: int, context: int, ubatch: int
) -> MemoryEstimate:
    options = ServerOptions(
        context_size=context,
        slots=1,
        cache_type_k=cache_type,
        cache_type_v=cache_type,
        speculation=("draft-mtp",) if drafted else (),
        draft_depth=drafted or None,
        ubatch_size=ubatch,
    )
    file, card = load_model_file(model, QUANTIZATION), visible_card(find_gpu(gpu))
    return estimate_memory(file, options, (card,), build=build)


def budget_bytes(article: dict[str, Any], gpu: str) -> int:
    """What the article leaves to a server: total less its reserve, and a share of that."""
    total = find_gpu(gpu).nominal_bytes - int(article["reserve_bytes"])
    return int(total * article["utilisation"])


def needed_bytes(article: dict[str, Any], row: dict[str, Any], context: int) -> int:
    """What a row's server takes of the card by our estimate."""
    return memory_of(article, row, context).devices[0].total_bytes


def file_correction(article: dict[str, Any], model: str) -> int:
    """Bytes by which the article's file must differ from ours, from its plain row alone."""
    plain = next(row for row in article["rows"] if row["model"] == model and not row["drafted"])
    context = plain["context_ki"] * KIB
    return budget_bytes(article, article["gpu"]) - needed_bytes(article, plain, context)


def ceiling_ki(article: dict[str, Any], row: dict[str, Any], correction: int = 0) -> int:
    """Largest context within the article's budget [Ki tokens]; 0 if not even 1Ki fits."""
    room = budget_bytes(article, article["gpu"]) - correction
    low, high = 0, _LONGEST_KI
    while low < high:
        middle = (low + high + 1) // 2
        fits = needed_bytes(article, row, middle * KIB) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def spare_bytes(article: dict[str, Any], row: dict[str, Any], context_ki: float) -> int:
    """Bytes left of the budget, corrected by the plain row, at a context [Ki tokens]."""
    room = budget_bytes(article, article["gpu"]) - file_correction(article, row["model"])
    return room - needed_bytes(article, row, round(context_ki * KIB))


def freed_band(article: dict[str, Any], row: dict[str, Any]) -> tuple[float, float]:
    """What would have to be freed for a ceiling within 15 % of the published one [MiB]."""
    low, high = (
        -spare_bytes(article, row, row["context_ki"] * part) / MIB for part in (0.85, 1.15)
    )
    return low, high


def _tried(article: dict[str, Any], name: str, change: dict[str, Any]) -> str:
    """Ceilings of all rows with drafts, were the servers another build or batch."""
    other = {**article, **change}
    ceilings = ", ".join(
        f"{ceiling_ki(other, row, file_correction(other, row['model']))}Ki"
        for row in other["rows"]
        if row["drafted"]
    )
    return f"  * {name}: {ceilings}"


def verdict(article: dict[str, Any], row: dict[str, Any], build: str = "") -> SpeculationVerdict:
    """Speed of one row: its own way of drafting, judged at the article's depth and acceptance."""
    gpu, cache_type = find_gpu(row.get("gpu", article["gpu"])), row["cache"]
    options = ServerOptions(
        context_size=16 * KIB, slots=1, cache_type_k=cache_type, cache_type_v=cache_type
    )
    file = load_model_file(row["model"], QUANTIZATION)
    layers = (0,) * (file.number("block_count") + 1)
    build = build or article["build"]
    work = server_work(file, options, (gpu,), layers, has_flash_attention=True, build=build)
    way = NO_SPECULATION
    if row["drafted"]:
        way = Speculation(Drafter.MTP, row["drafted"], article["acceptance"])
    return judge_speculation(way, work, work, depth=article["depth"], slots=1)


def decision(article: dict[str, Any], wish: dict[str, Any]) -> str:
    """What our rules choose for one use: the most wanted cache type's fastest way that fits.

    A cache type of less fidelity is taken where it is accepted and decodes faster.
    """
    room = budget_bytes(article, wish["gpu"]) - file_correction(article, wish["model"])
    ways: dict[tuple[str, int], SpeculationVerdict] = {}
    for cache_type in wish["caches"]:
        for drafted in _DEPTHS:
            row = {**wish, "cache": cache_type, "drafted": drafted}
            if needed_bytes(article, row, wish["context_ki"] * KIB) <= room:
                ways[cache_type, drafted] = verdict(article, row)
    chosen = choose_speculation(list(ways.values()))
    cache_type = next(name for (name, _), one in ways.items() if one is chosen)
    way = chosen.speculation
    said = f"{way.drafter}, depth {way.depth}" if way.depth else "standard"
    return f"{said}, {cache_type}"


def section(article: dict[str, Any]) -> Iterator[str]:
    """The section of the page."""
    yield f"\n## C. {article['title']}"
    yield f"\n{article['origin'][0].upper()}{article['origin'][1:]}.\n"
    yield (
        "| model | cache | drafted | tokens/s | ours | error | context | ours | "
        "from the plain row | error |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in article["rows"]:
        yield _row(article, row)
    yield _differences(article)


def _differences(article: dict[str, Any]) -> str:
    """What the columns are, and why rows differ."""
    corrections = ", ".join(
        f"{model} {file_correction(article, model) / MIB:+,.0f} MiB"
        for model in dict.fromkeys(row["model"] for row in article["rows"])
    )
    depth, acceptance = f"{article['depth']:,}", f"{article['acceptance']:.0%}"
    drafting, token = f"{_mtp_bytes(article) / 1e9:.2f}", f"{_kib_per_token(article):.0f}"
    short = article["rows"][4:6]
    over = [-spare_bytes(article, row, row["context_ki"]) / MIB for row in short]
    share = [100 * one * MIB / find_gpu(article["gpu"]).nominal_bytes for one in over]
    freed = [freed_band(article, row) for row in short]
    bands = [f"{low:.0f} to {high:.0f}" for low, high in freed]
    correction = file_correction(article, short[0]["model"])
    other = ceiling_ki(article, short[1], correction - round(freed[0][0] * MIB))
    published = ", ".join(f"{row['context_ki']}Ki" for row in article["rows"] if row["drafted"])
    tried = "\n".join(_tried(article, *change) for change in _CHANGES)
    return f"""
Speeds are at {depth} tokens and an acceptance of {acceptance}, which the article does not say.
Contexts are in Ki tokens under the article's own budget: 95 % of what is left after 1.2 GB. “From
the plain row” takes the article's file to differ from ours by what makes its plain row come out
({corrections}), and predicts the other rows
with that. Builds of that spring reserve the logits of a whole physical batch for the model and
again for its drafting blocks.

Where we differ, and why:

* The plain rows, 45 and 146, are among the 600 that the speed model's constants are fitted to.
  With this card left out its dense rows are 4 % off and this mixture of experts 10 %
  (`make speed-table`, fit of 2026-11-22). Drafts are fitted to nothing.
* **q5_1.** Default CUDA builds of that time have no attention for it, and run it on the CPU
  without a word. That costs both models the same 2 to 3 ms per cycle, which is why 35B-A3B is
  hardly faster with drafts (151 against 146). Since b11434 the card does it.
* **Contexts of 35B-A3B.** The article's first two rows differ by 0.69 GB; our drafting layer, state
  and buffers take {drafting} GB. At the published contexts we are {over[0]:.0f} MiB (q8_0) and
  {over[1]:.0f} MiB (q5_1) over the budget, {share[0]:.1f} and {share[1]:.1f} % of the card.
  **No memory model that treats the two rows alike has both within 15 %**: it would have to free
  {bands[0]} MiB for 15Ki at q8_0 and {bands[1]} MiB for 10Ki at q5_1, whose tokens take
  fewer bytes (7.5 against 10.6 KiB). Freed for the first, the second reaches {other}Ki. The rows
  differ in the cache alone; copies for attention on the CPU are some 16 MiB of a batch.
* What could free it, tried on all rows with drafts (published: {published}):
{tried}

  Each that helps the one model spoils the other, so none of these is the cause.
* The launcher of the article counts half a kilobyte per token; it is {token} KiB for 27B at q8_0.
"""


def _row(article: dict[str, Any], row: dict[str, Any]) -> str:
    speed = 1 / verdict(article, row).seconds_per_token
    alone = ceiling_ki(article, row)
    fitted = ceiling_ki(article, row, file_correction(article, row["model"]))
    measured, context = row["measured"], row["context_ki"]
    drafted = row["drafted"] or "–"
    share = "by definition" if not row["drafted"] else f"{fitted / context - 1:+.0%}"
    return (
        f"| {row['model'].removesuffix('-mtp')} | {row['cache']} | {drafted} | {measured:g} | "
        f"{speed:.0f} | {speed / measured - 1:+.0%} | {context} | {alone} | {fitted} | {share} |"
    )


def _mtp_bytes(article: dict[str, Any]) -> int:
    """What drafting one token costs 35B-A3B by our estimate, at the article's context."""
    plain, drafted = article["rows"][3:5]
    context = drafted["context_ki"] * KIB
    return needed_bytes(article, drafted, context) - needed_bytes(article, plain, context)


def _kib_per_token(article: dict[str, Any]) -> float:
    row = article["rows"][0]
    more = needed_bytes(article, row, 80 * KIB) - needed_bytes(article, row, 64 * KIB)
    return more / (16 * KIB) / KIB
