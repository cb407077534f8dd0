"""What a model file holds, as JSON values and as text."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from packer.report.text_columns import columns
from packer.units import format_bytes

if TYPE_CHECKING:
    from packer.gguf.inspection import Inspection
    from packer.memory.cache_cost import CacheCost
    from packer.memory.result import Card

_SHOWN_SHAPES = 40
_LONGEST_VALUE = 60


def inspection_document(
    inspection: "Inspection",
    costs: "Sequence[CacheCost]",
    cards: "Sequence[Card]",
    largest: Mapping[str, int | None],
) -> dict[str, Any]:
    """The object ``gpu-packer inspect -o json`` prints.

    Args:
        inspection: Figures of the file.
        costs: What context costs, by cache type.
        cards: Cards the largest context is for.
        largest: Largest context of one slot by cache type; None where none fits [tokens].
    """
    name, size = inspection.largest_tensor
    return {
        "name": inspection.name,
        "architecture": inspection.architecture,
        "parameters": inspection.parameters,
        "file_bytes": inspection.file_bytes,
        "tensor_bytes": inspection.tensor_bytes,
        "bits_per_weight": round(inspection.bits_per_weight, 3),
        "vocabulary_size": inspection.vocabulary_size,
        "context_length": inspection.context_length,
        "largest_tensor": {"name": name, "data_bytes": size},
        "types": [
            {
                "type": share.type.name,
                "tensors": share.tensors,
                "elements": share.elements,
                "data_bytes": share.data_bytes,
            }
            for share in inspection.types
        ],
        "context": [
            {
                "cache_type": cost.cache_type,
                "bytes_per_token": cost.bytes_per_token,
                "recurrent_bytes_per_slot": cost.bytes_per_slot,
                "window_bytes_per_slot": cost.window_bytes,
            }
            for cost in costs
        ],
        "shapes": {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in inspection.shapes.items()
        },
        "cards": [card.name for card in cards],
        "largest_context": dict(largest),
    }


def inspection_text(document: Mapping[str, Any]) -> str:
    """The same for people."""
    return "\n".join(
        [
            *_headline(document),
            "",
            *_types(document),
            *_costs(document),
            *_largest(document),
            "",
            *_shapes(document["shapes"]),
            *(f"note: {note}" for note in document.get("notes", ())),
        ]
    )


def _headline(document: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{document['name']}: {document['architecture']}, "
        f"{document['parameters'] / 1e9:.2f}B parameters, "
        f"{format_bytes(document['file_bytes'])}, "
        f"{document['bits_per_weight']:.2f} bits per weight"
    )
    trained = document["context_length"]
    limit = "unknown" if trained is None else f"up to {trained} tokens"
    yield f"context {limit}, vocabulary of {document['vocabulary_size']}"
    largest = document["largest_tensor"]
    yield f"largest tensor {largest['name']}: {format_bytes(largest['data_bytes'])}"


def _types(document: Mapping[str, Any]) -> list[str]:
    rows = [
        [share["type"], str(share["tensors"]), str(share["data_bytes"]), _size(share["data_bytes"])]
        for share in document["types"]
    ]
    return columns(["TYPE", "TENSORS", "BYTES", ""], rows, 0, frozenset([1, 2]))


def _costs(document: Mapping[str, Any]) -> list[str]:
    if not document["context"]:
        return []
    rows = [
        [
            cost["cache_type"],
            *(
                _size(cost[key])
                for key in ("bytes_per_token", "recurrent_bytes_per_slot", "window_bytes_per_slot")
            ),
            "",
        ]
        for cost in document["context"]
    ]
    head = ["KV CACHE", "PER TOKEN", "STATE PER SLOT", "WINDOWS PER SLOT", ""]
    return ["", *columns(head, rows, 0, frozenset([1, 2, 3]))]


def _size(count: int) -> str:
    return format_bytes(count) if count else "–"


def _largest(document: Mapping[str, Any]) -> Iterator[str]:
    """Largest context of one slot on the cards asked about."""
    if document["largest_context"]:
        yield ""
        yield f"largest context of one slot on {', '.join(document['cards'])}:"
    for cache_type, cells in document["largest_context"].items():
        yield f"  {cache_type:<7} " + ("does not fit at all" if cells is None else f"{cells}")


def _shapes(shapes: Mapping[str, Any]) -> Iterator[str]:
    for key, value in list(shapes.items())[:_SHOWN_SHAPES]:
        text = str(value)
        shown = text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."
        yield f"{key:<36} {shown}"
    if len(shapes) > _SHOWN_SHAPES:
        yield f"and {len(shapes) - _SHOWN_SHAPES} more; -o json shows all"
