"""Kinds of rules: how a flag, once read, changes what has been gathered so far.

A rule gets the flag as given; ValueError says why a value is refused, NotImplementedError that its
memory is not modelled.

Source: llama.cpp b11434, common/arg.cpp, common_params_parser_init().
"""

from collections.abc import Callable
from typing import Any

from packer.llamacpp.flag_values import metadata_overrides, tensor_overrides, whole
from packer.llamacpp.gathered import Gathered
from packer.llamacpp.settings import Setting
from packer.memory.hyperparameters import MOST_LAYERS

_EXPERTS = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
_DENSE = r"\.ffn_(up|down|gate)\."

Rule = Callable[[Gathered, Setting], None]


def sets(key: str, read: Callable[[str], object], which: str = "options") -> Rule:
    """The last value wins; ``which`` is ``options`` or ``draft``."""

    def rule(gathered: Gathered, setting: Setting) -> None:
        getattr(gathered, which)[key] = read(setting.value)

    return rule


def switches(key: str, which: str = "options") -> Rule:
    """On, or off in the negated spelling."""

    def rule(gathered: Gathered, setting: Setting) -> None:
        getattr(gathered, which)[key] = setting.is_on

    return rule


def names(which: str, way: str) -> Rule:
    """One way of naming the ``model``, the ``draft_model`` or the ``projector``."""

    def rule(gathered: Gathered, setting: Setting) -> None:
        setattr(getattr(gathered, which), way, setting.value)

    return rule


def appends(key: str, read: Callable[[str], tuple[object, ...]]) -> Rule:
    """Every value is kept."""

    def rule(gathered: Gathered, setting: Setting) -> None:
        gathered.options[key] = (*gathered.options.get(key, ()), *read(setting.value))

    return rule


def cpu_layers(which: str, key: str) -> Rule:
    """Every ``--n-cpu-moe`` adds its layers, so the largest one counts."""
    read = whole(lowest=0)

    def rule(gathered: Gathered, setting: Setting) -> None:
        options = getattr(gathered, which)
        options[key] = max(options.get(key, 0), read(setting.value))

    return rule


def overrides(which: str) -> Rule:
    """``--override-tensor``: the first match wins.

    ServerOptions puts these before ``--cpu-moe`` and its kind. Where such a flag came earlier and
    an override sends tensors elsewhere, the flag is written out as the overrides it stands for.
    """

    def rule(gathered: Gathered, setting: Setting) -> None:
        options, new = getattr(gathered, which), tensor_overrides(setting.value)
        earlier = options.get("override_tensors", ())
        if any(buffer != "CPU" for _, buffer in new):
            earlier += _written_out(options)
        options["override_tensors"] = earlier + new

    return rule


def _written_out(options: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Overrides that stand for the CPU flags so far; the flags are taken away."""
    patterns = [_EXPERTS] if options.pop("cpu_moe", False) else []
    for key, pattern in (("cpu_moe_layers", _EXPERTS), ("cpu_ffn_layers", _DENSE)):
        layers = min(options.pop(key, 0), MOST_LAYERS)
        patterns += [rf"blk\.{layer}{pattern}" for layer in range(layers)]
    return tuple((pattern, "CPU") for pattern in patterns)


def metadata(gathered: Gathered, setting: Setting) -> None:
    """``--override-kv``: the first value of a key wins."""
    known = dict(gathered.options.get("override_metadata", ()))
    for key, value in metadata_overrides(setting.value):
        known.setdefault(key, value)
    gathered.options["override_metadata"] = tuple(known.items())


def not_modelled(is_harmless: Callable[[str], bool], what: str) -> Rule:
    """Refused unless the value allocates nothing."""

    def rule(gathered: Gathered, setting: Setting) -> None:
        if not is_harmless(setting.value):
            raise NotImplementedError(what)

    return rule


def notes(what: str) -> Rule:
    """Sizes so little that it is only said."""

    def rule(gathered: Gathered, setting: Setting) -> None:
        if what not in gathered.notes:
            gathered.notes.append(what)

    return rule
