"""Hyper-parameters: defaults, arrays, and the errors that bad headers deserve."""

import gc
import weakref
from dataclasses import asdict, fields

import pytest

from packer.domain.model import MetadataValue
from packer.errors import InvalidModelFile, UnsupportedModel
from packer.memory.architectures import ARCHITECTURES, architecture_rules
from packer.memory.hyperparameters import read_hyperparameters
from packer.memory.identity_cache import derived_once
from tests.memory_models import Keys, MadeUp


def test_defaults_are_llama_cpps() -> None:
    sizes = MadeUp(kv_heads=2, keys={"attention.head_count_kv": 2}).sizes()
    assert sizes.head_k == sizes.head_v == (64,) * 4
    assert sizes.trunk_count == 4
    assert sizes.is_causal
    assert sizes.output_embedding == 256
    assert sizes.cached_layers == 4


def test_a_model_without_states_has_no_sizes_of_them() -> None:
    space = MadeUp().sizes().state_space
    assert asdict(space) == {one.name: 0 for one in fields(space)} | {"token_shifts": 2}


def test_key_heads_default_to_heads() -> None:
    made = MadeUp()
    file = made.file()
    metadata = {k: v for k, v in file.metadata.items() if not k.endswith("head_count_kv")}
    assert (
        read_hyperparameters(type(file)(**{**vars(file), "metadata": metadata})).kv_heads
        == (4,) * 4
    )


def test_windowed_layers_can_have_heads_of_their_own() -> None:
    keys: Keys = {
        "attention.sliding_window": 512,
        "attention.sliding_window_pattern": (True, False, True, True),
        "attention.key_length": 512,
        "attention.value_length": 512,
        "attention.key_length_swa": 256,
        "attention.value_length_swa": 256,
    }
    assert MadeUp("gemma4", keys=keys).sizes().head_k == (256, 512, 256, 256)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("block_count", 0),
        ("block_count", 513),
        ("block_count", "four"),
        ("embedding_length", -1),
        ("embedding_length", True),
        ("context_length", 1.5),
        ("attention.head_count", (4, 4)),
        ("attention.head_count_kv", (2, 2, -2, 2)),
        ("attention.causal", 1),
    ],
)
def test_mistyped_keys_are_named(key: str, value: MetadataValue) -> None:
    with pytest.raises(InvalidModelFile, match=f"P0502.*llama.{key}"):
        MadeUp(keys={key: value}).sizes()


def test_a_missing_key_is_named() -> None:
    file = MadeUp().file()
    metadata = {k: v for k, v in file.metadata.items() if k != "llama.embedding_length"}
    with pytest.raises(InvalidModelFile, match=r"llama\.embedding_length is missing"):
        read_hyperparameters(type(file)(**{**vars(file), "metadata": metadata}))


def test_an_unknown_architecture_names_the_nearest() -> None:
    with pytest.raises(UnsupportedModel, match=r"P0501.*'qwen9'.*\n.*\n.*qwen3"):
        architecture_rules("qwen9")
    with pytest.raises(UnsupportedModel, match="modelled are: afmoe"):
        architecture_rules("#")


def test_every_architecture_has_rules() -> None:
    assert len(ARCHITECTURES) > 100
    assert all(architecture_rules(name) is rules for name, rules in ARCHITECTURES.items())


class Thing:
    """Something that can be forgotten."""


def test_derived_values_live_as_long_as_what_they_come_from() -> None:
    calls = []

    @derived_once
    def derived(thing: Thing) -> int:
        calls.append(id(thing))
        return len(calls)

    assert derived.__name__ == "derived"
    thing = Thing()
    assert derived(thing) == derived(thing) == 1
    gone = weakref.ref(thing)
    del thing
    gc.collect()
    assert gone() is None
    assert derived(Thing()) == 2
