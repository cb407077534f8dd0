"""Fleets and inventories, read and found sound."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packer.domain.model import ModelFile
from packer.domain.node import Inventory
from packer.domain.workload import Fleet
from packer.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from packer.domain.price_book import PriceBook
    from packer.spec.inputs import Source
    from packer.spec.lookups import Lookups

_PROJECTOR = "clip"
"""Architecture of multimodal projectors. Source: llama.cpp b11434, tools/mtmd/clip-impl.h."""


@dataclass(frozen=True)
class Input:
    """A fleet and an inventory that were read and found sound, with the hashes of their texts."""

    fleet: Fleet
    inventory: Inventory
    fleet_sha256: str
    inventory_sha256: str


def load(
    fleet: str | Path, inventory: str | Path, prices: str | Path = "", *, currency: str = ""
) -> Input:
    """Fleet and inventory of two YAML files; ``-`` is standard input.

    Args:
        fleet: What must be served.
        inventory: Where.
        prices: The user's price book; its prices come before those of the inventory's pools and
            of the catalogue.
        currency: Of every price; empty leaves them, or takes the first pool's where they differ
            and a price book states the rates.

    Raises:
        InvalidInput: Everything that is wrong with any file, at once.
    """
    paths = [fleet, inventory, *([prices] if prices else [])]
    return _loaded(*read_sources(paths), currency=currency)


def load_live(
    fleet: str | Path,
    prices: str | Path = "",
    *,
    context: str = "",
    kubeconfig: str = "",
    currency: str = "",
) -> Input:
    """The fleet of a file and the inventory of a live cluster, less what others hold there.

    Args:
        fleet: What must be served; what runs of it already counts as free.
        prices: The user's price book; a cluster tells no prices.
        context: Context of the kubeconfig; empty takes the current one.
        kubeconfig: File; empty takes ``KUBECONFIG``, then ``~/.kube/config``.
        currency: Of every price; as for ``load``.

    Raises:
        InvalidInput: Everything that is wrong with a file, or the cluster cannot be described.
        Unreachable: The cluster does not answer.
    """
    from packer.api.live_inventory import live_inventory
    from packer.spec.fleet_file import fleet_name
    from packer.spec.inputs import Source

    asked, *book = read_sources([fleet, *([prices] if prices else [])])
    name = fleet_name(asked.text, asked.file)
    found = live_inventory(context=context, kubeconfig=kubeconfig, replaced=name)
    return _loaded(asked, Source(found.text, "<cluster>"), *book, currency=currency)


def _loaded(
    asked_source: "Source",
    inventory_source: "Source",
    *book_source: "Source",
    currency: str,
) -> Input:
    from packer.api.price_books import parse_price_book, with_book
    from packer.spec.inputs import read_inputs

    book = parse_price_book(str(book_source[0].text), book_source[0].file) if book_source else None
    asked, read = read_inputs(asked_source, inventory_source, with_book(lookups(), book))
    if book is not None or currency:
        read = _in_one_currency(read, book, currency)
    priced = "".join(str(source.text) for source in (inventory_source, *book_source))
    return Input(asked, read, sha256_of(str(asked_source.text)), sha256_of(priced))


def read_sources(paths: Sequence[str | Path]) -> "list[Source]":
    """Texts of files, every one that cannot be read told at once.

    Raises:
        InvalidInput: A file cannot be read, or two are standard input.
    """
    from packer.files.text import read_text, shown_name
    from packer.spec.inputs import Source

    if [str(path) for path in paths].count("-") > 1:
        title = "the fleet and the inventory cannot both come from standard input"
        raise InvalidInput(Problem("P0101", title, help="save one of them in a file"))
    found: list[Source] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            found.append(Source(read_text(path), shown_name(path)))
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return found


def _in_one_currency(inventory: Inventory, book: "PriceBook | None", currency: str) -> Inventory:
    """Prices in one currency, by the rates of the book."""
    from packer.plan.currency import currencies, in_currency

    names = currencies(inventory)
    if not currency and len(names) < 2:
        return inventory
    return in_currency(inventory, currency or names[0], book.rates if book else ())[0]


def sha256_of(text: str) -> str:
    """Hash that says which text a plan was made from."""
    return hashlib.sha256(text.encode()).hexdigest()


def lookups() -> "Lookups":
    """The catalogue and the GGUF reader, as the readers of files want them."""
    from packer.catalogue.gpus import find_gpu, gpus_matching
    from packer.catalogue.models import find_model, load_model_file
    from packer.gguf.header import read_model_file
    from packer.spec.lookups import Lookups

    return Lookups(
        gpu=find_gpu,
        gpu_family=gpus_matching,
        model_file=lambda path: _modelled(read_model_file(path)),
        catalogue_quantizations=lambda name: find_model(name).quantizations,
        catalogue_file=lambda name, quantization: _modelled(
            load_model_file(find_model(name).id, quantization)
        ),
    )


def _modelled(model: ModelFile) -> ModelFile:
    """The same model, once its architecture is known to be modelled; a projector has none.

    Raises:
        UnsupportedModel: It is not; the nearest are named.
    """
    from packer.memory.hyperparameters import read_hyperparameters

    if model.architecture != _PROJECTOR:
        read_hyperparameters(model)
    return model
