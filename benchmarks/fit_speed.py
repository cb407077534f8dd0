"""Fit the packaged constants of the speed model to the published rows.

    python -m benchmarks.fit_speed decode [--date DATE]
    python -m benchmarks.fit_speed rest

Both write packer/performance/data/speed_constants.json; `rest` computes with what `decode` wrote.
Decode constants come from speed_fit.py, those of prompts and slots from searches over one number
at a time; bands are the errors of left-out GPUs. What the rows cannot tell (links between cards,
copies, Mamba's scan) stays as it is, with its source in docs/performance-model.md.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from math import exp, log
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import speed_checks as checks
from benchmarks.speed_fit import as_constants, fit, predict
from benchmarks.speed_rows import SpeedRow, speed_rows
from packer.performance import constants

# A repeated measurement of one setting differs by this much.
_NARROWEST = (0.95, 1.05)
DATA = Path(constants.__file__).parent / "data/speed_constants.json"


def main() -> None:
    """Fit what was asked for and write the file."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=("decode", "rest"))
    parser.add_argument("--date", default="2026-11-22")
    arguments = parser.parse_args()
    document: dict[str, Any] = dict(constants.speed_constants().text)
    if arguments.part == "decode":
        document |= {"vendor": {}, "memory": {}, "generation": {}, "card": {}}
        document["fitted"] = arguments.date
        document["source"] = "published llama.cpp speeds, tests/data/performance/rows.csv.gz"
        document = as_constants(fit(checks.single_rows(speed_rows())), document)
    else:
        _fit_rest(document)
    DATA.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", "utf-8")


def _fit_rest(document: dict[str, Any]) -> None:
    """Prompts, slots and bands; ``document`` is the one the package computes with."""
    rows = speed_rows()
    prompts = checks.prompt_rows(rows)
    neutral = _fit_prompts(document, prompts)
    slots = [row for row in rows if row.kind == "batch"]

    def gains() -> float:
        return float(
            np.mean([abs(log(1 + e.value)) for e in checks.by_slots(slots, is_calibrated=False)])
        )

    for _ in range(2):
        _search(document, "expert_independence", (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0), gains)
        _search(document, "slot_flops_share", (0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0), gains)
    document["bands"] = _bands(document, checks.single_rows(rows), prompts, neutral, slots)


def _fit_prompts(
    document: dict[str, Any], prompts: Sequence[SpeedRow]
) -> dict[str, list[tuple[SpeedRow, float]]]:
    """Arithmetic of prompts: shares for all, then factors of generations and cards."""
    for group in ("generation", "card"):
        for effects in document[group].values():
            effects.pop("flops", None)
    _forget_cards()

    def loss() -> float:
        """Scatter within cards, which no factor of a card can repair."""
        left = 0.0
        for rows in checks.card_ratios(prompts).values():
            logs = [log(ratio) for _, ratio in rows]
            left += sum(min(abs(value - median(logs)), 0.7) for value in logs) / len(logs) ** 0.5
        return left

    for _ in range(2):
        _search(document, "expert_half_tokens", (15, 25, 40, 60, 90, 130), loss)
        _search(document, "attention_share", (0.15, 0.25, 0.4, 0.6, 0.9), loss)
        _search(document, "plain_attention_share", (0.05, 0.1, 0.15, 0.2, 0.3), loss)
    neutral = checks.card_ratios(prompts)
    everyone = median(log(median(r for _, r in rows)) for rows in neutral.values())
    document["all"]["flops_per_cycle"] = float(
        f"{document['all']['flops_per_cycle'] / exp(everyone):.4g}"
    )
    _forget_cards()
    neutral = checks.card_ratios(prompts)
    for gpu, rows in neutral.items():
        product = rows[0][0].product
        of_generation = checks.pooled(neutral, product.generation)
        own = log(median(r for _, r in rows)) * len(rows) / (len(rows) + 1)
        own += of_generation / (len(rows) + 1)
        generation = document["generation"].setdefault(product.generation, {})
        generation["flops"] = float(f"{exp(-of_generation):.4g}")
        document["card"].setdefault(gpu, {})["flops"] = float(f"{exp(of_generation - own):.4g}")
    _forget_cards()
    return neutral


def _search(
    document: dict[str, Any], name: str, values: Sequence[float], loss: Callable[[], float]
) -> None:
    """Keep the value of one constant with the smallest loss."""
    scored = []
    for value in values:
        document["all"][name] = value
        _forget_cards()
        scored.append((loss(), value))
    document["all"][name] = min(scored)[1]
    _forget_cards()
    print(name, [f"{value:g}: {score:.3f}" for score, value in scored])


def _forget_cards() -> None:
    constants.card_constants.cache_clear()


def _bands(
    document: dict[str, Any],
    single: Sequence[SpeedRow],
    prompts: Sequence[SpeedRow],
    neutral: dict[str, list[tuple[SpeedRow, float]]],
    slots: Sequence[SpeedRow],
) -> dict[str, Any]:
    """Ratios of measured to predicted speed between which eight of ten rows lie."""
    inside = [
        checks.Error(row, row.seconds / seconds - 1)
        for row, seconds in zip(single, predict(fit(single), single).tolist(), strict=True)
    ]
    bands: dict[str, Any] = {
        "decode": {
            "default": _by_kind(checks.left_out_decode(single)),
            "calibrated": _by_kind(inside),
            "measured": _by_kind(checks.after_two_rows(single)),
        },
        "prefill": {
            "default": _by_kind(checks.left_out_prompts(neutral)),
            "calibrated": _by_kind(
                [
                    checks.Error(row, ratio - 1)
                    for rows in checks.card_ratios(prompts).values()
                    for row, ratio in rows
                ]
            ),
            "measured": _by_kind(checks.after_two_rows(prompts)),
        },
        "slots": {
            "default": {"any": _band(checks.by_slots(slots, is_calibrated=False))},
            "calibrated": {"any": _band(checks.by_slots(slots, is_calibrated=False))},
            "measured": {"any": _band(checks.by_slots(slots, is_calibrated=True))},
        },
    }
    for quantity in ("decode", "prefill"):
        for basis in bands[quantity]:
            bands[quantity][basis]["offload"] = document["bands"][quantity][basis]["offload"]
    return bands


def _by_kind(errors: Sequence[checks.Error]) -> dict[str, list[float]]:
    return {
        "dense": _band([error for error in errors if not error.row.is_moe]),
        "moe": _band([error for error in errors if error.row.is_moe]),
    }


def _band(errors: Sequence[checks.Error]) -> list[float]:
    """Tenth and ninetieth percentile of measured over predicted.

    A card weighs as much as five rows at most.
    """
    cards: dict[str, int] = {}
    for error in errors:
        cards[error.row.gpu] = cards.get(error.row.gpu, 0) + 1
    ratios = sorted(
        (1 / (1 + error.value), min(5, cards[error.row.gpu]) / cards[error.row.gpu])
        for error in errors
    )
    total, passed, low, high = sum(weight for _, weight in ratios), 0.0, 1.0, 1.0
    for ratio, weight in ratios:
        if passed < 0.1 * total <= passed + weight:
            low = ratio
        if passed < 0.9 * total <= passed + weight:
            high = ratio
        passed += weight
    return [round(min(low, _NARROWEST[0]), 2), round(max(high, _NARROWEST[1]), 2)]


if __name__ == "__main__":
    main()
