"""What a cluster refuses, in words: credentials, missing RBAC rules, and what it says itself."""

import re
from dataclasses import dataclass

from packer.errors import InvalidInput, Problem

UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT, GONE = 401, 403, 404, 409, 410

_GROUP_PATH = re.compile(r"/apis/(?P<group>[^/]+)/[^/]+/(?P<rest>.+)|/api/[^/]+/(?P<core>.+)")
_NAMESPACED = re.compile(r"namespaces/(?P<namespace>[^/]+)/(?P<rest>.+)")
_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Refused(InvalidInput):
    """The API server answers, with a refusal.

    Attributes:
        status: HTTP status. message: What the server says.
    """

    def __init__(self, status: int, message: str, problem: Problem) -> None:
        """Keep what was said."""
        super().__init__(problem)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Rule:
    """One RBAC rule: what must be allowed, and where; ``namespace`` is empty for all of them."""

    group: str
    resource: str
    verb: str
    namespace: str = ""

    @property
    def text(self) -> str:
        """As it stands under ``rules:`` of a Role or ClusterRole."""
        return (
            f"{{apiGroups: ['{self.group}'], resources: [{self.resource}], verbs: [{self.verb}]}}"
        )


def refusal(status: int, method: str, path: str, message: str) -> Refused:
    """The exception for a refused request."""
    return Refused(status, message, _problem(status, method, path, message))


def rule_of(method: str, path: str) -> Rule:
    """RBAC rule a request needs. Exact for the requests of this package.

    Source:
        Kubernetes, apiserver/pkg/endpoints/request/requestinfo.go: a read without a name lists.
    """
    match = _GROUP_PATH.fullmatch(path.partition("?")[0])
    rest = (match["rest"] or match["core"]) if match else path
    group = (match["group"] or "") if match else ""
    inside = _NAMESPACED.fullmatch(rest)
    namespace = inside["namespace"] if inside else ""
    parts = (inside["rest"] if inside else rest).split("/")
    # What follows a sub-resource, such as a path behind a proxy, needs no right of its own.
    resource = "/".join((parts[0], *parts[2:3]))
    verb = _VERBS.get(method, method.lower())
    return Rule(group, resource, "list" if verb == "get" and len(parts) == 1 else verb, namespace)


def _problem(status: int, method: str, path: str, message: str) -> Problem:
    if status == UNAUTHORIZED:
        title = "the cluster does not accept these credentials"
        return Problem("P1022", title, None, message, "log in again, or choose another --context")
    if status == FORBIDDEN and "is forbidden: User" in message:
        rule = rule_of(method, path)
        where = f"in namespace {rule.namespace}" if rule.namespace else "in the whole cluster"
        name = f"{rule.resource}.{rule.group}" if rule.group else rule.resource
        kind = "Role" if rule.namespace else "ClusterRole"
        return Problem(
            "P1023",
            f"not allowed to {rule.verb} {name} {where}",
            None,
            message,
            f"have this rule added to your {kind}: {rule.text}",
        )
    title = f"the cluster refuses {method} {path} ({status})"
    return Problem("P1024", title, None, message)
