"""Record what the wheel's llama.cpp builds: ``python -m tests.llamacpp.record_graphs``.

Writes tests/data/memory/graphs.json.xz: for a tiny model of every architecture, its variants and
some command lines, the graph of the largest batch and of one token per slot, line by line. Where
ours differs, for the wheel is newer than the build whose bytes ours equals, the difference stands
beside it.
"""

import json
import lzma
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from packer.domain.model import ModelFile
from packer.memory.hyperparameters import read_hyperparameters
from tests.graph_facts import (
    RECORD,
    Asked,
    differences,
    their_lines,
    without_scales,
)
from tests.graph_variants import NOT_A_MODEL, recorded_content, recorded_model, tiny_base, variants
from tests.llamacpp.oracle import Oracle
from tests.llamacpp.tiny_header import write_tiny
from tests.memory_truth import rows, tiny_model
from tests.sparse_models import write_sparse_model

_CONTEXTS = (
    "-c 1536 -np 3 -b 96 -ub 48 -fa on",
    "-c 1024 -np 2 --kv-unified -b 64 -ub 64 -ctk q8_0 -fa off",
    "-c 512 -np 1 -b 32 -ub 32 -ctk q8_0 -ctv q8_0 -fa on",
    "-c 3072 -np 3 -b 60 -ub 60 -fa off --swa-full",
)
_ROLLING_BACK = "-c 1536 -np 3 -b 96 -ub 48 -fa on --spec-type draft-eagle3 --spec-draft-n-max 2"
_EMBEDDINGS = (
    "-c 1024 -np 2 -b 64 -ub 64 -fa on --embedding --pooling mean",
    "-c 1024 -np 4 -b 64 -ub 64 -fa off --embedding --pooling cls",
    "-c 512 -np 1 -b 32 -ub 32 -fa on --embedding --pooling none",
    "-c 1024 -np 2 -b 64 -ub 64 -fa off --reranking",
)
_OF_CATALOGUE = (
    "bge-large-en-v1.5-F16.gguf",
    "bge-reranker-v2-m3-Q8_0.gguf",
    "gemma-3n-e2b-Q4_K_M.gguf",
    "gemma-4-e2b-Q4_K_M.gguf",
    "nomic-embed-text-v1.5-F16.gguf",
    "qwen3-next-80b-a3b-Q4_K_M.gguf",
)
"""Files of architectures without a tiny model, and some that do more than those."""
_DRAFTING = {
    "glm-4.5-air-Q4_K_M.gguf",
    "qwen3.5-27b-mtp-Q4_K_M.gguf",
    "qwen3.5-35b-a3b-mtp-Q4_K_M.gguf",
}
"""Files of which the context of the nextn blocks is recorded."""
_EMBEDDED_TOO = {"llama-dense.gguf", "qwen3-dense.gguf", "gpt-oss-moe.gguf"}


def main() -> None:
    """Ask for every graph and write them."""
    with Oracle() as oracle, TemporaryDirectory() as folder:
        graphs = [one for name in _names() for one in recorded(oracle, Path(folder), name)]
    origin = f"xllamacpp {version('xllamacpp')}, {datetime.now(UTC).date()}"
    text = json.dumps({"origin": origin, "graphs": graphs})
    RECORD.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))


def _names() -> list[str]:
    found = {row["cmd"].split()[2] for row in rows("truth_architectures")}
    return [*sorted(found - {NOT_A_MODEL}), *_OF_CATALOGUE, *sorted(_DRAFTING), *variants()]


def recorded(oracle: Oracle, folder: Path, name: str) -> list[dict[str, Any]]:
    """Graphs of one model; without scales where ours differs with them."""
    model = recorded_model(name)
    whole = list(_graphs(oracle, folder, name, model))
    if not any(one["differs"] for one in whole):
        return whole
    return list(_graphs(oracle, folder, name, without_scales(model)))


def _graphs(oracle: Oracle, folder: Path, name: str, model: ModelFile) -> Iterator[dict[str, Any]]:
    path = folder / name
    content = recorded_content(name)
    if content is None:
        write_sparse_model(path, model)
    else:
        write_tiny(path, content, tiny_model(tiny_base(name)), model)
    for context in _contexts(name, model):
        command = f"llama-server -m {name} {context} --no-repack --load-mode none"
        ours = Asked(model, command, is_nextn=_is_nextn(name))
        batches = ours.batches()
        answer = oracle.graphs(
            command.replace(name, str(path)).split(),
            [(one.tokens, one.sequences, one.outputs) for one in batches],
            is_nextn=ours.is_nextn,
        )
        for batch, found in zip(batches, answer or (), strict=False):
            theirs = their_lines(model, found)
            yield {
                "model": name,
                "has_scales": model is recorded_model(name),
                "is_nextn": ours.is_nextn,
                "command": command,
                "batch": [batch.tokens, batch.sequences, batch.outputs],
                "lines": theirs,
                "differs": differences(ours.lines(batch), theirs),
            }


def _is_nextn(name: str) -> bool:
    """Whether the context of the nextn blocks is recorded instead of the trunk's."""
    return name in _DRAFTING or (name in variants() and variants()[name].has_nextn)


def _contexts(name: str, model: ModelFile) -> list[str]:
    """What is asked of one file; real models have many blocks: less of them is recorded."""
    if name in _DRAFTING:
        # A draft's cache has types of its own, which the other contexts do not name.
        return [f"{_CONTEXTS[place]} --spec-type draft-mtp" for place in (0, 3)]
    if name in variants():
        drafts = " --spec-type draft-mtp" if variants()[name].has_nextn else ""
        return [f"{_CONTEXTS[0]}{drafts}"]
    most = 2 if recorded_content(name) is None else 4
    contexts = [*_CONTEXTS[:most], *(_EMBEDDINGS[:most] if name in _embedding_models() else ())]
    if read_hyperparameters(model).rules.has_rollback:
        contexts.append(_ROLLING_BACK)
    return contexts


@cache
def _embedding_models() -> set[str]:
    """Files whose graphs are asked for embeddings too."""
    asked = (*rows("truth_architectures"), *rows("truth_catalogue"))
    return {r["cmd"].split()[2] for r in asked if "--embedding" in r["cmd"]} | _EMBEDDED_TOO


if __name__ == "__main__":
    main()
