"""Whether a live object is as rendered."""

from typing import Any

import pytest

from packer.cluster.likeness import unlike


@pytest.mark.parametrize(
    ("rendered", "live", "fields"),
    [
        ({"a": 1}, {"a": 1, "status": {"x": 2}}, ()),
        ({"a": {"b": "1Gi"}}, {"a": {"b": "1024Mi"}}, ()),
        ({"a": {"b": "1Gi"}}, {"a": {"b": "1025Mi"}}, ("a.b",)),
        ({"a": [{"n": 1}]}, {"a": [{"n": 1, "protocol": "TCP"}]}, ()),
        ({"a": [1, 2]}, {"a": [1]}, ("a",)),
        ({"a": [1, 2]}, {"a": [2, 1]}, ("a[0]", "a[1]")),
        ({"a": {}, "b": [], "c": False, "d": ""}, {}, ()),
        ({"a": {"b": "x"}}, {}, ("a.b",)),
        ({"a": True}, {"a": False}, ("a",)),
        ({"a": "chat"}, {"a": "code"}, ("a",)),
        ({"m": {"gpu-packer/plan-sha256": "1"}}, {"m": {"gpu-packer/plan-sha256": "2"}}, ()),
        ({"startupProbe": {"failureThreshold": 3}}, {"startupProbe": {"failureThreshold": 9}}, ()),
    ],
)
def test_rendered_fields_must_have_the_rendered_value(
    rendered: dict[str, Any], live: dict[str, Any], fields: tuple[str, ...]
) -> None:
    assert unlike(rendered, live) == fields


def test_only_the_first_few_differences_are_named() -> None:
    assert len(unlike({str(n): n for n in range(1, 50)}, {})) == 5
