"""What a model file holds, as JSON values and as text."""

from typing import TYPE_CHECKING, Any

from packer.units import format_bytes, format_gib

if TYPE_CHECKING:
    from packer.gguf.inspection import Inspection
    from packer.memory.cache_cost import CacheCost

_SHOWN_SHAPES = 40


def inspection_document(inspection: "Inspection", costs: "tuple[CacheCost, ...]") -> dict[str, Any]:
    """The object ``gpu-packer inspect -o json`` prints."""
    return {
        "name": inspection.name,
        "architecture": inspection.architecture,
        "parameters": inspection.parameters,
        "file_bytes": inspection.file_bytes,
        "tensor_bytes": inspection.tensor_bytes,
        "bits_per_weight": round(inspection.bits_per_weight, 3),
        "vocabulary_size": inspection.vocabulary_size,
        "context_length": inspection.context_length,
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
    }


def inspection_text(document: dict[str, Any]) -> str:
    """The same for people."""
    lines = [
        f"{document['name']}: {document['architecture']}, "
        f"{document['parameters'] / 1e9:.2f}B parameters, "
        f"{format_gib(document['file_bytes'])} GiB, "
        f"{document['bits_per_weight']:.2f} bits per weight",
        f"context up to {document['context_length']} tokens, vocabulary of "
        f"{document['vocabulary_size']}",
        "",
        "TYPE      TENSORS  BYTES",
        *(
            f"{share['type']:<8}  {share['tensors']:>7}  {format_bytes(share['data_bytes'])}"
            for share in document["types"]
        ),
        "",
        "KV CACHE  PER TOKEN   STATE PER SLOT  WINDOW PER SLOT",
        *(
            f"{cost['cache_type']:<8}  {format_bytes(cost['bytes_per_token']):<10}  "
            f"{format_bytes(cost['recurrent_bytes_per_slot']):<14}  "
            f"{format_bytes(cost['window_bytes_per_slot'])}"
            for cost in document["context"]
        ),
    ]
    if "largest_context" in document:
        lines += ["", *_largest(document)]
    lines += ["", *_shapes(document["shapes"])]
    return "\n".join(lines)


def _largest(document: dict[str, Any]) -> list[str]:
    """Largest context of one slot on one card."""
    return [
        f"one slot on one {document['gpu']}, KV {cache_type}: "
        + ("does not fit at all" if cells is None else f"up to {cells} tokens")
        for cache_type, cells in document["largest_context"].items()
    ]


def _shapes(shapes: dict[str, Any]) -> list[str]:
    lines = []
    for key, value in list(shapes.items())[:_SHOWN_SHAPES]:
        text = str(value)
        lines.append(f"{key:<36} {text if len(text) <= 60 else text[:57] + '...'}")
    return lines
