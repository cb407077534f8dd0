"""Files that may serve a workload: one variant per acceptable quantization, best first."""

from collections.abc import Callable
from dataclasses import dataclass

from packer.domain.model import ModelFile
from packer.domain.model_mount import model_pod_path
from packer.domain.mount import QUANTIZATION_PLACE, InvalidMount
from packer.domain.workload import Variant
from packer.errors import InvalidInput, Location, Problem
from packer.spec.headers import CATALOGUE, Headers, is_path
from packer.spec.lookups import located
from packer.spec.problems import nearest

ONE_FILE = "file"
"""Quantization of a model that was given as one file without naming any."""


@dataclass(frozen=True)
class Wanted:
    """A model as the fleet file names it.

    Attributes:
        quantizations: As the user wrote them; empty if none was named.
        where: Place of ``model``, ``file`` or, with its index, of a quantization.
    """

    model: str
    file: str | None
    quantizations: tuple[str, ...]
    where: Callable[[str, int], Location]


def read_variants(wanted: Wanted, headers: Headers, problems: list[Problem]) -> tuple[Variant, ...]:
    """Variants of a model in the user's order; what is wrong is added to ``problems``."""
    known = _known_quantizations(wanted, headers, problems)
    named = _named_quantizations(wanted, known, problems) if known is not None else ()
    variants = [
        _variant(wanted, index, quantization, known or (), headers, problems)
        for index, quantization in enumerate(named)
    ]
    return tuple(variant for variant in variants if variant is not None)


def _known_quantizations(
    wanted: Wanted, headers: Headers, problems: list[Problem]
) -> tuple[str, ...] | None:
    """What the catalogue has of the model, () for a file here, None if the model is unknown."""
    where = wanted.where("model", 0)
    if "://" in wanted.model:
        help_ = "download the file and write ./model.gguf, or use catalogue:<id>"
        problems.append(
            Problem("P0218", "models are not fetched", where, "a URL is not read here", help_)
        )
        return None
    if is_path(wanted.model):
        return ()
    with located(problems, where):
        return headers.quantizations(wanted.model)
    return None


def _named_quantizations(
    wanted: Wanted, known: tuple[str, ...], problems: list[Problem]
) -> tuple[str, ...]:
    """The quantizations to read; () after a problem."""
    named = wanted.quantizations
    texts = {"model": wanted.model if is_path(wanted.model) else None, "file": wanted.file}
    given = {key: text for key, text in texts.items() if text is not None}
    has_place = any(QUANTIZATION_PLACE in text for text in given.values())
    if not named and (known or has_place):
        help_ = f"quantizations: [{', '.join(known)}], best first" if known else ""
        why = "it decides which file is served"
        problems.append(
            Problem("P0203", "no quantization is named", wanted.where("model", 0), why, help_)
        )
        return ()
    for key, text in given.items():
        if len(named) > 1 and QUANTIZATION_PLACE not in text:
            why = f"{len(named)} quantizations, but one {key}"
            help_ = f"put {QUANTIZATION_PLACE} where the file names differ"
            title = "one file cannot hold several quantizations"
            problems.append(Problem("P0208", title, wanted.where(key, 0), why, help_))
            return ()
    return named or (ONE_FILE,)


def _variant(
    wanted: Wanted,
    index: int,
    quantization: str,
    known: tuple[str, ...],
    headers: Headers,
    problems: list[Problem],
) -> Variant | None:
    """One variant: its file's own header if it can be read here, else the catalogue's."""
    file = (wanted.file or "").replace(QUANTIZATION_PLACE, quantization)
    path = headers.readable(file) if file else None
    name = {name.casefold(): name for name in known}.get(quantization.casefold())
    if path is None and known and name is None:
        problems.append(_not_in_catalogue(wanted, index, quantization, known))
        return None
    from_file = path is not None
    source = "file" if from_file else "model" if is_path(wanted.model) else "quantization"
    with located(problems, wanted.where(source, index)):
        if path is not None:
            return Variant(name or quantization, headers.of_file(path), _mount(file, headers))
        return Variant(name or quantization, _header(wanted, name, quantization, headers), file)
    return None


def _header(wanted: Wanted, name: str | None, quantization: str, headers: Headers) -> ModelFile:
    if name is not None:
        return headers.of_catalogue(wanted.model, name)
    return headers.of_file(wanted.model.replace(QUANTIZATION_PLACE, quantization))


def _mount(file: str, headers: Headers) -> str:
    """URI of a mounted file; a path of this machine is taken to be the node's as well."""
    if "://" in file:
        return file
    uri = f"file://{headers.path(file).absolute().as_posix()}"
    try:
        model_pod_path(uri)
    except InvalidMount as error:
        problem = Problem("P0219", "this path cannot be mounted into a pod", why=str(error))
        raise InvalidInput(problem) from error
    return uri


def _not_in_catalogue(
    wanted: Wanted, index: int, quantization: str, known: tuple[str, ...]
) -> Problem:
    near = nearest(quantization, known)
    title = f"the catalogue has no {quantization} of {wanted.model.removeprefix(CATALOGUE)}"
    why = f"did you mean {near}?" if near else "no name is near"
    help_ = f"it has {', '.join(known)}; for another file, name it under file: and have it here"
    return Problem("P0202", title, wanted.where("quantization", index), why, help_)
