"""Writes to the cluster: server-side apply as our field manager, deletes of what is ours."""

from collections.abc import Mapping

from packer.cluster.connection import Connection, Json
from packer.cluster.object_kinds import FIELD_MANAGER, Key, Kind, kind_of
from packer.cluster.ownership import MANAGED_BY, plan_of
from packer.cluster.plan_objects import find_object
from packer.cluster.refusals import CONFLICT, FORBIDDEN, NOT_FOUND, UNAUTHORIZED, Refused
from packer.errors import InvalidInput, Problem

_APPLY = "application/apply-patch+yaml"


class Writer:
    """Writes objects of one plan into one namespace.

    Attributes:
        dry_run: Whether the server only checks; nothing is kept.
        written: Kind and name of every object written or deleted, in order.
    """

    def __init__(self, cluster: Connection, namespace: str, plan: str, *, dry_run: bool) -> None:
        """Write nothing yet."""
        self.cluster, self.namespace, self.plan = cluster, namespace, plan
        self.dry_run = dry_run
        self.written: list[Key] = []

    def apply(self, body: Json) -> Json:
        """The object as it is after a server-side apply.

        Raises:
            InvalidInput: P1028 somebody else owns the object or a field of it; P1029 a quota or an
                admission webhook refuses it.
        """
        kind, name = kind_of(body), body["metadata"]["name"]
        path = f"{kind.collection(self.namespace)}/{name}"
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", **self._mode}
        try:
            applied = self.cluster.send("PATCH", path, query=query, body=body, content_type=_APPLY)
        except Refused as error:
            raise _explained(error, kind, name) from error
        self.written.append((kind.name, name))
        return applied

    def refuse_strangers(self, keys: Mapping[Key, Json]) -> None:
        """Refuse to touch objects of a rendered name that are not of this plan.

        Raises:
            InvalidInput: P1028, with all of them.
        """
        problems = []
        for body in keys.values():
            kind, name = kind_of(body), body["metadata"]["name"]
            there = find_object(self.cluster, kind, self.namespace, name)
            if there is not None and plan_of(there) != self.plan:
                title = f"{kind.name} {name} is there already and not of the plan {self.plan}"
                help_ = f"rename one of them; objects of a plan are labelled {MANAGED_BY}"
                problems.append(Problem("P1028", title, help=help_))
        if problems:
            raise InvalidInput(problems)

    def delete(self, kind: Kind, name: str, uid: str, *, orphan: bool = False) -> None:
        """Delete one object, if it is still the one that was looked at.

        Args:
            kind: Its kind.
            name: Its name.
            uid: Its UID; another object of that name stays.
            orphan: Whether what it owns stays.
        """
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Orphan" if orphan else "Background",
            **({"dryRun": ["All"]} if self.dry_run else {}),
        }
        try:
            self.cluster.send("DELETE", f"{kind.collection(self.namespace)}/{name}", body=body)
        except Refused as error:
            if error.status not in (NOT_FOUND, CONFLICT):
                raise
        self.written.append((kind.name, name))

    def mark(self, kind: Kind, name: str, metadata: Json) -> None:
        """Change labels and annotations of one object."""
        path = f"{kind.collection(self.namespace)}/{name}"
        query = {"fieldManager": FIELD_MANAGER, **self._mode}
        patch = "application/merge-patch+json"
        self.cluster.send(
            "PATCH", path, query=query, body={"metadata": metadata}, content_type=patch
        )
        self.written.append((kind.name, name))

    @property
    def _mode(self) -> dict[str, str]:
        return {"dryRun": "All"} if self.dry_run else {}


def _explained(error: Refused, kind: Kind, name: str) -> InvalidInput:
    """What stands in the way of an object, in words."""
    if error.status == CONFLICT:
        title = f"somebody else owns fields of {kind.name} {name}"
        help_ = "let them give the fields up: kubectl get -o yaml --show-managed-fields tells who"
        return InvalidInput(Problem("P1028", title, None, error.message, help_))
    is_rule = error.status == FORBIDDEN and "is forbidden: User" in error.message
    if is_rule or error.status in (UNAUTHORIZED, NOT_FOUND):
        return error
    title = f"the cluster refuses {kind.name} {name}"
    help_ = "run the same command again once the cause is gone; what is done stays done"
    return InvalidInput(Problem("P1029", title, None, error.message, help_))
