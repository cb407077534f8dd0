"""A model file's header as the domain's ModelFile; split files count as one model."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

from packer.domain.model import ModelFile
from packer.errors import InvalidModelFile, Problem
from packer.gguf.byte_ranges import CANNOT_OPEN, ByteSource, LocalFile
from packer.gguf.file_header import FileHeader, read_file_header
from packer.gguf.header_cursor import invalid
from packer.gguf.hyper_parameters import (
    architecture_of,
    check_hyper_parameters,
    vocabulary_size,
)
from packer.gguf.split_files import check_parts, part_count, part_names
from packer.gguf.tensor_table import MOST_TENSORS

OpenSource = Callable[[str], AbstractContextManager[ByteSource]]
"""Opens a path or URL; raises InvalidModelFile with P0301 if there is nothing."""

_MOST_MISSING_NAMED = 8


def read_model_file(path: Path, *, header_only: bool = False) -> ModelFile:
    """Header of a GGUF model on this machine. Exact.

    Args:
        path: The file, or any one part of a split model.
        header_only: The tensor data was cut off on purpose; sizes come from the table.

    Raises:
        InvalidModelFile: The file is not one, is truncated, or contradicts itself.
    """
    return read_model(str(path), lambda name: LocalFile(Path(name)), header_only=header_only)


def read_model(name: str, open_source: OpenSource, *, header_only: bool = False) -> ModelFile:
    """Header of a GGUF model, wherever its bytes are. Exact.

    Args:
        name: Path or URL of the file, or of any one part of a split model.
        open_source: Opens this name and those of the other parts.
        header_only: The tensor data was cut off on purpose; sizes come from the table.

    Raises:
        InvalidModelFile: The file is not one, is truncated, or contradicts itself.
    """
    with open_source(name) as source:
        named = read_file_header(source, header_only=header_only)
    count = part_count(named)
    if count == 1:
        return _model(name, [named])
    names = part_names(name, count)
    headers = _read_parts(names, {name: named}, open_source, header_only)
    check_parts(headers)
    return _model(name, headers)


def _read_parts(
    names: tuple[str, ...],
    known: dict[str, FileHeader],
    open_source: OpenSource,
    header_only: bool,
) -> list[FileHeader]:
    headers: list[FileHeader] = []
    missing: list[Problem] = []
    for name in names:
        if name in known:
            headers.append(known[name])
            continue
        try:
            with open_source(name) as source:
                headers.append(read_file_header(source, header_only=header_only))
        except InvalidModelFile as error:
            if any(problem.code != CANNOT_OPEN for problem in error.problems):
                raise
            missing += error.problems
        if sum(len(header.table.tensors) for header in headers) > MOST_TENSORS:
            raise invalid("P0305", f"the parts hold more than {MOST_TENSORS} tensors", name, 0)
    if missing:
        raise InvalidModelFile(missing[:_MOST_MISSING_NAMED])
    return headers


def _model(name: str, headers: list[FileHeader]) -> ModelFile:
    first = headers[0]
    tensors = tuple(tensor for header in headers for tensor in header.table.tensors)
    check_hyper_parameters(first, tensors)
    architecture = architecture_of(first)
    return ModelFile(
        name=PurePosixPath(name).name,
        architecture=architecture,
        metadata=first.key_values.values,
        tensors=tensors,
        file_bytes=sum(header.file_bytes for header in headers),
        vocabulary_size=vocabulary_size(first.key_values, architecture),
        origin=name,
        data_offset=first.data_offset,
        tensor_offsets=tuple(offset for header in headers for offset in header.table.offsets),
        tensor_parts=tuple(
            part for part, header in enumerate(headers) for _ in header.table.tensors
        )
        if len(headers) > 1
        else (),
    )
