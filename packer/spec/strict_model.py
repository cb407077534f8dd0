"""Base of everything a user writes: camelCase keys, no unknown ones, nothing changes later."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from packer.spec.field_types import Name

API_VERSION = "gpu-packer/v1"
VALUE_TAG, MAPPING_TAG = UNION_TAGS = ("<value>", "<mapping>")
"""Branches of a key that takes either; no key of a file can be called so."""


class StrictModel(BaseModel):
    """A mapping in a file; the docstring of each field describes its key in the JSON Schema."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )


class Metadata(StrictModel):
    """Name of what a file describes."""

    name: Name
    """Name in plans, reports and labels: small letters, digits and `-`, at most 40."""
