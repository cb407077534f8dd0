"""Regular expressions over tensor names, as `--override-tensor` takes them.

llama.cpp reads them as C++'s std::regex does, in the ECMAScript grammar. They are searched with the
``regex`` library: it knows the same classes of characters, and ends a search that would go on for
ever.
"""

import re
import time
from collections.abc import Callable

from packer.errors import InvalidInput, Problem

_LONGEST = 4096
_MOST_REPEATS = 1000
"""std::regex builds its states for each; thousands fill the memory."""
_SECONDS = 0.5
"""Processor time of all searches for one pattern; usual ones take microseconds."""
_HELP = r"write PATTERN=CPU, such as \.ffn_up_exps=CPU"
# What stands for itself: escaped characters and classes, inside which nothing repeats or groups.
_LITERAL = re.compile(r"\\.|\[(?:\\.|\[:\w*:\]|[^\]\\])*\]", re.DOTALL)
_COUNT = re.compile(r"\{([0-9]{1,9})(?:,([0-9]{0,9}))?\}")

Finder = Callable[[str], bool]
"""Whether a pattern is found in a tensor's name."""


def check_pattern(pattern: str) -> None:
    """Refuse what std::regex does not take, or reads otherwise than Python.

    Raises:
        ValueError: Why not.

    Source: llama.cpp b11434, src/llama-model-loader.cpp, create_tensor(); pinned by
    tests/llamacpp/test_tensor_patterns.py.
    """
    import regex

    if len(pattern) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST} characters")
    bare = _LITERAL.sub("x", pattern)
    if re.search(r"\(\?(?![:=!])", bare):
        raise ValueError("of the groups with a question mark it has (?: (?= and (?! alone")
    if re.search(r"[*+?}]\+", bare):
        raise ValueError("a repetition is repeated")
    counts = [number for count in _COUNT.finditer(bare) for number in count.groups() if number]
    if "{" in _COUNT.sub("", bare):
        raise ValueError(r"a { begins a count such as {2} or {1,3}; as itself it is \{")
    if any(int(number) > _MOST_REPEATS for number in counts):
        raise ValueError(f"a count is over {_MOST_REPEATS}")
    try:
        regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from None


def refused_pattern(pattern: str, why: str) -> InvalidInput:
    """The error that tells why a pattern is not taken."""
    title = f"--override-tensor {pattern!r} is no regular expression llama.cpp can use"
    return InvalidInput(Problem("P0508", title, why=why, help=_HELP))


def pattern_finder(pattern: str) -> Finder:
    """A search for one pattern that was checked; all its searches share half a second.

    Raises:
        InvalidInput: P0508, by the finder: the time is over.
    """
    import regex

    compiled = regex.compile(pattern)
    left = _SECONDS

    def is_found(name: str) -> bool:
        nonlocal left
        begun = time.thread_time()
        try:
            if left <= 0:
                raise TimeoutError
            match = compiled.search(name, timeout=left)
        except TimeoutError:
            why = "it tries more ways to match a name than anybody can wait for"
            raise refused_pattern(pattern, why) from None
        left -= time.thread_time() - begun
        return match is not None

    return is_found
