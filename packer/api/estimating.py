"""Memory of literal command lines, and what is inside model files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packer.domain.gpu import GpuProduct
from packer.domain.model import ModelFile
from packer.errors import GpuPackerError, InvalidInput, Problem

if TYPE_CHECKING:
    from packer.domain.server_options import ServerOptions
    from packer.gguf.inspection import Inspection
    from packer.memory.cache_cost import CacheCost
    from packer.memory.result import Card, MemoryEstimate

DEFAULT_BUILD = "b11434"


@dataclass(frozen=True)
class Models:
    """Headers of the models a command line names, each read once.

    Attributes:
        folder: Where relative paths start.
    """

    folder: Path

    def read(self, reference: str) -> ModelFile:
        """Header behind a path, ``catalogue:<id>:<quantization>``, URL or ``hf://`` reference.

        Raises:
            InvalidInput: There is none, or it is not a model.
        """
        if reference.startswith("catalogue:"):
            return _catalogue_model(reference)
        if "://" in reference:
            from packer.gguf.remote_model import read_remote_model

            return _cached(reference, None, lambda: read_remote_model(reference))
        from packer.gguf.header import read_model_file

        path = self.folder / reference
        return _cached(str(path), _stamp(path), lambda: read_model_file(path))


_read_headers: dict[str, tuple[object, ModelFile]] = {}


def _stamp(path: Path) -> object:
    """What changes when a file does; a header is only kept for the very same file."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _cached(key: str, stamp: object, read: Any) -> ModelFile:
    known = _read_headers.get(key)
    if known is not None and known[0] == stamp:
        return known[1]
    model: ModelFile = read()
    _read_headers[key] = (stamp, model)
    return model


def _catalogue_model(reference: str) -> ModelFile:
    from packer.catalogue.models import find_model, load_model_file

    _, _, rest = reference.partition(":")
    name, separator, quantization = rest.rpartition(":")
    if not separator:
        known = ", ".join(find_model(rest).quantizations)
        raise InvalidInput(
            Problem(
                "P0488",
                f"{reference} names no quantization",
                help=f"write {reference}:Q4_K_M; there are {known}",
            )
        )
    return load_model_file(name, quantization)


def inspect(reference: str | Path) -> "Inspection":
    """What a model file holds: a path, ``catalogue:<id>:<quantization>``, URL or ``hf://``."""
    from packer.gguf.inspection import inspect_model

    return inspect_model(Models(Path()).read(str(reference)))


def cache_costs(reference: str | Path) -> "tuple[CacheCost, ...]":
    """What context costs by cache type; a type that llama.cpp refuses for the model is left out."""
    from packer.memory.cache_cost import cache_cost

    model = Models(Path()).read(str(reference))
    found = []
    for cache_type in ("f16", "q8_0", "q5_1", "q4_0"):
        try:
            found.append(cache_cost(model, cache_type))
        except InvalidInput:
            continue
    return tuple(found)


def largest_context(
    reference: str | Path, product: GpuProduct, *, cache_type: str = "f16"
) -> int | None:
    """Largest context of one slot on one card of a product, everything on the card [tokens].

    A multiple of 256 cells, at most the model's own limit; None when not even 256 cells fit.
    Exact as the memory model is: the upper band must fit.
    """
    from packer.domain.server_options import FlashAttention, ServerOptions
    from packer.memory.estimate import estimate_memory

    model = Models(Path()).read(str(reference))

    def fits(cells: int) -> bool:
        options = ServerOptions(
            context_size=cells,
            slots=1,
            cache_type_k=cache_type,
            cache_type_v=cache_type,
            flash_attention=FlashAttention.ON,
            fit=False,
        )
        return estimate_memory(model, options, [card_of(product)]).fits

    low, high = 0, max(1, model.context_length // 256)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle * 256) else (low, middle - 1)
    return low * 256 or None


def card_of(product: GpuProduct) -> "Card":
    """A whole card of a product, with nobody else on it."""
    from packer.memory.result import Card

    return Card(
        product.name,
        product.allocatable_bytes,
        generation=product.generation,
        compute_capability=product.compute_capability,
    )


def estimate_process(
    argv: Sequence[str],
    cards: "Sequence[Card]",
    *,
    models: str | Path = ".",
    environment: Mapping[str, str] | None = None,
    build: str = DEFAULT_BUILD,
    host_bytes: int | None = None,
) -> "MemoryEstimate":
    """Memory one literal command line takes on given cards.

    Args:
        argv: Words of the command line, the program first.
        cards: Every card the process sees, in CUDA order.
        models: Folder that relative model paths start from.
        environment: Variables the program would see.
        build: llama.cpp build of the program.
        host_bytes: Memory of the host the process may use; None is not checked [bytes].

    Raises:
        InvalidInput: The command line, a model or an option is refused; with every problem.
    """
    from packer.llamacpp.arguments import parse_arguments
    from packer.memory.estimate import estimate_memory

    options = parse_arguments(argv, environment, build=build)
    headers = _headers(options, Models(Path(models)))
    return estimate_memory(
        headers.target,
        options,
        cards,
        draft=headers.draft,
        projector=headers.projector,
        loras=headers.loras,
        build=build,
        host_allocatable_bytes=host_bytes,
    )


@dataclass(frozen=True)
class _Headers:
    target: ModelFile
    draft: ModelFile | None
    projector: ModelFile | None
    loras: tuple[ModelFile, ...]


def _headers(options: "ServerOptions", models: Models) -> _Headers:
    draft = options.draft.model if options.draft else ""
    return _Headers(
        target=models.read(options.model),
        draft=models.read(draft) if draft else None,
        projector=models.read(options.projector) if options.projector else None,
        loras=tuple(map(models.read, options.lora)),
    )


def estimate_command(
    argv: Sequence[str] | str,
    *,
    gpus: "str | Sequence[Card]" = "",
    models: str | Path = ".",
    environment: Mapping[str, str] | None = None,
    build: str = DEFAULT_BUILD,
) -> dict[str, Any]:
    """The JSON object of ``gpu-packer estimate -o json`` for one literal command line.

    Args:
        argv: Words of the command line, or one text with shell quoting.
        gpus: Cards, or ``total[:free],…`` in MiB as in a batch; empty is no card.
        models: Folder that relative model paths start from.
        environment: Variables the program would see.
        build: llama.cpp build of the program.

    Raises:
        InvalidInput: The command line, a model or an option is refused; with every problem.
    """
    import shlex

    from packer.llamacpp.batch_lines import read_cards
    from packer.report.estimate_document import estimate_document

    words = shlex.split(argv) if isinstance(argv, str) else list(argv)
    cards = read_cards(gpus) if isinstance(gpus, str) else tuple(gpus)
    if cards is None:
        raise InvalidInput(
            Problem("P0484", f"gpus {gpus!r} are no cards", help="write 81079:80000,24210 in MiB")
        )
    found = estimate_process(words, cards, models=models, environment=environment, build=build)
    return estimate_document(found)


def estimate_batch(
    text: str, *, models: str | Path = ".", build: str = DEFAULT_BUILD, file: str = "batch"
) -> Iterator[dict[str, Any]]:
    """One JSON object per line of a batch, in order; an error object where a line has no answer."""
    from packer.llamacpp.batch_lines import read_batch_line
    from packer.report.estimate_document import error_document, estimate_document

    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            asked = read_batch_line(line, number, file)
            found = estimate_process(
                asked.argv,
                asked.cards,
                models=models,
                environment=dict(asked.environment),
                build=build,
            )
            yield estimate_document(found)
        except GpuPackerError as error:
            yield error_document(error)
