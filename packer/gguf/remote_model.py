"""Headers of model files on a web server or on Hugging Face, without downloading them."""

import dataclasses
import re
from pathlib import PurePosixPath

from packer.domain.model import ModelFile
from packer.errors import InvalidInput, InvalidModelFile, Location, Problem
from packer.gguf.addresses import without_secrets
from packer.gguf.header import read_model

_HUB = re.compile(r"(?i:hf)://(?P<repo>[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?/(?P<file>[^?#]+)")


def read_remote_model(reference: str) -> ModelFile:
    """Header of ``https://…`` or ``hf://org/repo[@revision]/file.gguf``, any split part. Exact.

    Raises:
        InvalidModelFile: The file is not one, or its server cannot serve ranges.
        InvalidInput: The extra ``gpu-packer[remote]`` is not installed.
        Unreachable: The server does not answer in time.
    """
    try:
        # Optional, and too slow to import for commands that read local files.
        from packer.gguf.remote_file import RemoteFile

        if reference.lower().startswith("hf://"):
            token = _hub_token()
            model = read_model(reference, lambda name: RemoteFile(_hub_url(name), token))
        else:
            model = read_model(reference, RemoteFile)
    except ModuleNotFoundError as error:
        raise InvalidInput(
            Problem(
                "P0312",
                "remote model files need an extra that is not installed",
                Location(without_secrets(reference)),
                why=f"no module named {error.name}",
                help="pip install 'gpu-packer[remote]', or download the file",
            )
        ) from error
    shown = without_secrets(reference)
    return dataclasses.replace(model, name=PurePosixPath(shown).name, origin=shown)


def _hub_url(reference: str) -> str:
    from huggingface_hub import hf_hub_url

    match = _HUB.fullmatch(reference)
    if match is None:
        raise InvalidModelFile(
            Problem(
                "P0301",
                "not a Hugging Face reference",
                Location(reference),
                help="write hf://organisation/repository/file.gguf",
            )
        )
    return hf_hub_url(match["repo"], match["file"], revision=match["revision"])


def _hub_token() -> dict[str, str]:
    """Header with the user's own token, if there is one; it goes to the hub only."""
    from huggingface_hub import get_token

    token = get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}
