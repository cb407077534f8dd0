"""Definitions of custom resources that rendered objects belong to: as files, and as validators."""

from functools import cache
from typing import Any

import jsonschema
import yaml

from tests.planned import ROOT

FOLDER = ROOT / "tests/data/crds"
"""CustomResourceDefinitions, one file each; a cluster test applies them."""
_FILES = {
    "HTTPRoute": "httproutes.yaml",
    "PodMonitor": "podmonitors.yaml",
    "PrometheusRule": "prometheusrules.yaml",
}
CUSTOM_KINDS = frozenset(_FILES)


@cache
def custom_validator(kind: str) -> jsonschema.Draft7Validator:
    """Validator of one kind that refuses unknown fields, as strict field validation does."""
    definition = yaml.safe_load((FOLDER / _FILES[kind]).read_text(encoding="utf-8"))
    (version,) = definition["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    return jsonschema.Draft7Validator({**_closed(schema), "additionalProperties": True})


def _closed(schema: Any) -> Any:
    """The schema with every object that lists its properties closed to others."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if is_object and "additionalProperties" not in schema:
        closed["additionalProperties"] = False
    if schema.get("x-kubernetes-int-or-string"):
        closed.pop("type", None)
    return closed
