"""Multimodal projector: a vision or audio encoder on the first card."""

from packer.domain.basis import Basis
from packer.domain.model import ModelFile
from packer.errors import InvalidModelFile, Location, Problem
from packer.memory.part import Part
from packer.memory.tensor_size import card_bytes, host_bytes

_FLOAT = 4
# Patches of the largest picture when the file sets no limit: 4096 tokens of 2 × 2 patches, the most
# that a projector of dynamic resolution allows by default (tools/mtmd/clip.cpp).
_MOST_PATCHES = 16384
_FEWEST_PATCHES = 256


def projector_part(projector: ModelFile, *, is_on_card: bool) -> Part:
    """Weights of a projector, exact, and the buffers of its encoder, estimated.

    The encoder reserves its buffers for the picture it warms up with and again for every larger
    one, so the band reaches from a small picture to the largest the projector takes.

    Args:
        projector: Header of the `--mmproj` file.
        is_on_card: Whether it runs on a card, which pads quantized rows.

    Raises:
        InvalidModelFile: The file is not a projector.

    Source: llama.cpp b11434, tools/mtmd/clip.cpp, load_tensors() and reserve_compute_meta().
    """
    if projector.architecture != "clip":
        raise InvalidModelFile(
            Problem(
                code="P0513",
                title="--mmproj is not a multimodal projector",
                where=Location(projector.origin or projector.name),
                why=f"its architecture is {projector.architecture}, not clip",
                help="give the mmproj file that was converted with this model",
            )
        )
    weights = sum(
        card_bytes(t.type, t.shape[0], t.element_count)
        if is_on_card
        else host_bytes(t.type, t.element_count)
        for t in projector.tensors
    )
    usual, most = _patches(projector)
    per_patch = _floats_per_patch(projector)
    return Part(
        bytes=weights + _FLOAT * usual * per_patch,
        low=weights,
        high=weights + 2 * _FLOAT * most * per_patch,
        basis=Basis.ESTIMATED,
    )


def _patches(projector: ModelFile) -> tuple[int, int]:
    """Patches of the usual and of the largest picture."""
    patch = max(_number(projector, "vision.patch_size", 14), 1)
    side = _number(projector, "vision.image_size", 0)
    usual = max((side // patch) ** 2, _FEWEST_PATCHES)
    limit = _number(projector, "vision.image_max_pixels", 0) // patch**2
    return usual, max(usual, limit or min(_MOST_PATCHES, 4 * usual))


def _floats_per_patch(projector: ModelFile) -> int:
    """Floats alive per patch at the widest point of an encoder block."""
    kind = "vision" if "clip.vision.embedding_length" in projector.metadata else "audio"
    embedding = _number(projector, f"{kind}.embedding_length", 1024)
    return 4 * embedding + 2 * _number(projector, f"{kind}.feed_forward_length", 4 * embedding)


def _number(projector: ModelFile, key: str, default: int) -> int:
    value = projector.metadata.get(f"clip.{key}", default)
    return value if isinstance(value, int) and not isinstance(value, bool) else default
