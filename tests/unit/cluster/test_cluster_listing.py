"""Lists page by page: begun anew where the server has forgotten their start, and only there.

The server here is a list of answers; tests/cluster asks a real one.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from packer.cluster.connection import Connection
from packer.cluster.listing import PAGE, listed
from packer.cluster.refusals import FORBIDDEN, GONE, Refused, refusal

Json = dict[str, Any]
PODS = "/api/v1/pods"


class Answers(Connection):
    """A server that gives these answers, one after the other; a number is a refusal."""

    def __init__(self, *answers: Json | int) -> None:
        self.name, self._answers = "list", list(answers)
        self.asked: list[dict[str, str]] = []

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """The next answer."""
        self.asked.append(dict(query or {}))
        answer = self._answers.pop(0)
        if isinstance(answer, int):
            raise refusal(answer, "GET", path, "The provided continue parameter is too old")
        return answer


def page(*names: str, following: str = "") -> Json:
    return {"items": [{"name": one} for one in names], "metadata": {"continue": following}}


def names(cluster: Connection, query: Mapping[str, str] | None = None) -> list[str]:
    return listed(cluster, PODS, lambda item: item["name"] or None, query)


def test_every_page_is_asked_for_where_the_last_one_ended() -> None:
    cluster = Answers(page("a", "b", following="next"), page("c", "", following="last"), page())
    wanted = {"labelSelector": "app=x"}
    assert names(cluster, wanted) == ["a", "b", "c"]
    first = {"labelSelector": "app=x", "limit": str(PAGE)}
    assert cluster.asked == [first, {**first, "continue": "next"}, {**first, "continue": "last"}]
    assert wanted == {"labelSelector": "app=x"}, "the caller's own"


def test_a_list_that_the_server_has_forgotten_begins_anew_from_its_start() -> None:
    """What was read of the first try is not told twice."""
    cluster = Answers(
        page("a", following="old"), GONE, page("a", "new", following="young"), page("b")
    )
    assert names(cluster) == ["a", "new", "b"]
    assert [one.get("continue") for one in cluster.asked] == [None, "old", None, "young"]


def test_a_server_that_always_forgets_is_told_in_its_words() -> None:
    cluster = Answers(*(page("a", following="old"), GONE) * 5)
    with pytest.raises(Refused, match="too old"):
        names(cluster)
    assert len(cluster.asked) == 6, "three tries of two pages"


def test_what_is_refused_is_not_asked_again() -> None:
    cluster = Answers(FORBIDDEN, page("a"))
    with pytest.raises(Refused) as refused:
        names(cluster)
    assert refused.value.status == FORBIDDEN
    assert len(cluster.asked) == 1
