"""Names of the files one model is split into, and whether they belong together."""

import re
from collections.abc import Iterator, Sequence

from packer.errors import InvalidModelFile, Location, Problem
from packer.gguf.file_header import FileHeader

MOST_PARTS = 1024
_NAME = re.compile(
    r"(?P<prefix>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.gguf(?:\?.*)?)", re.S
)


def part_count(header: FileHeader) -> int:
    """Files the model is split into, ``split.count``; 1 where it is not split."""
    count = header.key_values.values.get("split.count", 1)
    if not isinstance(count, int) or count > MOST_PARTS:
        raise InvalidModelFile(_problem(header.file, f"split.count is {count}"))
    return max(1, count)


def part_names(file: str, count: int) -> tuple[str, ...]:
    """Names of all parts, from the name of any one of them.

    Raises:
        InvalidModelFile: The name is not ``<prefix>-<number>-of-<count>.gguf``.

    Source:
        llama.cpp b11434, src/llama.cpp, llama_split_path().
    """
    match = _NAME.fullmatch(file)
    if match is None or int(match["count"]) != count or not 0 < int(match["number"]) <= count:
        raise InvalidModelFile(
            _problem(file, f"one of {count} parts, but its name does not say which")
        )
    return tuple(
        f"{match['prefix']}-{number:05d}-of-{count:05d}{match['suffix']}"
        for number in range(1, count + 1)
    )


def check_parts(headers: Sequence[FileHeader]) -> None:
    """Refuse parts that say they are others, hold a tensor twice, or lack some.

    Raises:
        InvalidModelFile: Every contradiction, all at once.

    Source:
        llama.cpp b11434, src/llama-model-loader.cpp, llama_model_loader::llama_model_loader().
    """
    problems = [*_misnumbered(headers), *_repeated(headers)]
    announced = headers[0].key_values.values.get("split.tensors.count")
    found = sum(len(header.table.tensors) for header in headers)
    if announced != found:
        problems.append(
            _problem(headers[0].file, f"{announced} tensors are announced, the parts hold {found}")
        )
    if problems:
        raise InvalidModelFile(problems)


def _misnumbered(headers: Sequence[FileHeader]) -> Iterator[Problem]:
    for number, header in enumerate(headers):
        values = header.key_values.values
        said = values.get("split.no"), values.get("split.count")
        if said != (number, len(headers)):
            yield _problem(
                header.file,
                f"says it is part {said[0]} of {said[1]}, not {number} of {len(headers)} "
                "(counted from 0)",
            )


def _repeated(headers: Sequence[FileHeader]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for header in headers:
        for tensor in header.table.tensors:
            if tensor.name in seen:
                yield _problem(
                    header.file, f"tensor {tensor.name!r} is also in {seen[tensor.name]}"
                )
            seen[tensor.name] = header.file


def _problem(file: str, title: str) -> Problem:
    return Problem(
        "P0311",
        f"split model: {title} (at byte 0)",
        Location(file),
        help="download all parts again, under the names they were published with",
    )
