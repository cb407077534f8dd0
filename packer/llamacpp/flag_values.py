"""Values of sizing flags, read as llama.cpp reads them; ValueError says why one is refused.

llama.cpp's own number parser stops at the first letter and takes ``16k`` for 16. Nobody means
that, so it is refused here with what to write instead.
"""

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from packer.domain.server_options import FlashAttention
from packer.memory.tensor_pattern import check_pattern

TRUE_WORDS = ("on", "enabled", "true", "1")
FALSE_WORDS = ("off", "disabled", "false", "0")
CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
LOAD_MODES = ("auto", "none", "mmap", "mlock", "mmap+mlock", "dio")
POOLING_TYPES = ("none", "mean", "cls", "last", "rank")
NGRAM_TYPES = ("ngram-simple", "ngram-map-k", "ngram-map-k4v", "ngram-mod", "ngram-cache")
SPECULATION_TYPES = (
    "none",
    "draft-simple",
    "draft-eagle3",
    "draft-mtp",
    "draft-dflash",
    "draft-dspark",
    *NGRAM_TYPES,
)
LARGEST_INT = 2**31 - 1
MOST_SLOTS = 256
MOST_DEVICES = 16  # llama_max_devices()


def whole(lowest: int = -LARGEST_INT - 1, highest: int = LARGEST_INT) -> Callable[[str], int]:
    """Reader of whole numbers in a range."""

    def read(text: str) -> int:
        if not re.fullmatch(r"\s*[+-]?[0-9]{1,12}", text):
            raise ValueError(_why_not_whole(text))
        number = int(text)
        if not lowest <= number <= highest:
            raise ValueError(f"it must be from {lowest} to {highest}")
        return number

    return read


def _why_not_whole(text: str) -> str:
    near = re.fullmatch(r"\s*([0-9]{1,9})\s*([kKmM])i?", text)
    if near is None:
        return "a whole number is wanted"
    scale = 1024 if near[2] in "kK" else 1024**2
    return f"llama.cpp would read {near[1]}; write {int(near[1]) * scale}"


def choice(words: Sequence[str]) -> Callable[[str], str]:
    """Reader of one word out of a list."""

    def read(text: str) -> str:
        if text in words:
            return text
        near = get_close_matches(text.lower(), words, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"it must be one of {', '.join(words)}{hint}")

    return read


def switch(text: str) -> bool:
    """On or off, in llama.cpp's words."""
    if text in TRUE_WORDS or text in FALSE_WORDS:
        return text in TRUE_WORDS
    raise ValueError("it must be on or off")


def flash_attention(text: str) -> FlashAttention:
    """On, off or auto, in llama.cpp's words."""
    if text in ("auto", "-1"):
        return FlashAttention.AUTO
    try:
        return FlashAttention.ON if switch(text) else FlashAttention.OFF
    except ValueError:
        raise ValueError("it must be on, off or auto") from None


def gpu_layers(text: str) -> int | None:
    """Layers on GPUs; None is all: llama.cpp takes ``auto``, ``all`` and any negative number so."""
    if text in ("auto", "all"):
        return None
    try:
        layers = whole()(text)
    except ValueError as error:
        raise ValueError(f"{error}, or auto, or all") from None
    return layers if layers >= 0 else None


def slots(text: str) -> int | None:
    """Server slots; None is auto, which any negative number means."""
    number = whole()(text)
    if number > MOST_SLOTS:
        raise ValueError(f"llama.cpp takes at most {MOST_SLOTS} slots")
    if number == 0:
        raise ValueError("there must be at least one slot")
    return number if number > 0 else None


def proportions(text: str) -> tuple[float, ...]:
    """Shares of the devices, separated by commas or slashes."""
    parts = re.split(r"[,/]+", text)
    if len(parts) >= MOST_DEVICES:
        raise ValueError(f"llama.cpp takes fewer than {MOST_DEVICES} shares")
    for part in parts:
        if not re.fullmatch(r"\s*\+?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", part):
            raise ValueError("shares are numbers separated by commas, such as 3,1")
    return tuple(map(float, parts))


def devices(text: str) -> tuple[str, ...]:
    """Device names in order; () for ``none``."""
    if text == "none":
        return ()
    names = tuple(text.split(","))
    if not all(names):
        raise ValueError("device names are separated by commas, such as CUDA0,CUDA1, or it is none")
    return names


def tensor_overrides(text: str) -> tuple[tuple[str, str], ...]:
    """Pairs of regular expression and buffer type, first match first."""
    pairs = []
    for part in text.split(","):
        pattern, separator, buffer = part.partition("=")
        if not separator:
            raise ValueError("it is PATTERN=BUFFER, such as ffn_up_exps=CPU")
        if not re.fullmatch(r"CPU|[A-Za-z]+[0-9]+", buffer):
            raise ValueError(f"{buffer!r} is no buffer type; write CPU, or a device such as CUDA0")
        _check_pattern(pattern)
        pairs.append((pattern, buffer))
    return tuple(pairs)


def _check_pattern(pattern: str) -> None:
    try:
        check_pattern(pattern)
    except ValueError as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None


def separated(text: str) -> tuple[str, ...]:
    """Values separated by commas; double quotes protect a comma."""
    items: list[str] = []
    for piece in text.split(","):
        if items and items[-1].startswith('"') and items[-1].count('"') % 2:
            items[-1] += f",{piece}"
        else:
            items.append(piece)
    return tuple(map(_unquoted, items))


def _unquoted(item: str) -> str:
    if not item.startswith('"'):
        return item
    return item[1:].removesuffix('"').replace('""', '"')


def scaled_files(text: str) -> tuple[str, ...]:
    """File names out of FNAME:SCALE pairs."""
    names = []
    for item in separated(text):
        name, separator, scale = item.partition(":")
        if not separator or not re.fullmatch(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?", scale):
            raise ValueError("it is FILE:SCALE, such as adapter.gguf:0.5")
        names.append(name)
    return tuple(names)


def metadata_overrides(text: str) -> tuple[tuple[str, int | float | bool | str], ...]:
    """Metadata keys with their new values."""
    return tuple(map(_metadata_override, separated(text)))


def _metadata_override(item: str) -> tuple[str, int | float | bool | str]:
    match = re.fullmatch(r"([^=]{1,127})=(int|float|bool|str):(.*)", item, re.DOTALL)
    if match is None:
        raise ValueError("it is KEY=TYPE:VALUE with the types int, float, bool and str")
    key, kind, value = match.groups()
    if kind == "bool":
        return key, choice(("true", "false"))(value) == "true"
    if kind == "str":
        return key, value
    try:
        return key, int(value) if kind == "int" else float(value)
    except ValueError:
        raise ValueError(f"{value!r} is no {kind}") from None
