"""Carries out the steps of a change: wave by wave, each ended before the next begins.

A server that is replaced while it answers loses its Deployment but not its pod: the pod goes on,
marked as leaving, until its successor answers. Whatever is interrupted is found again by what is
in the cluster alone.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from packer.cluster.connection import Json
from packer.cluster.difference import Difference, ServerChange
from packer.cluster.likeness import unlike
from packer.cluster.listing import listed
from packer.cluster.object_kinds import CLAIM, DEPLOYMENT, KINDS, POD, REPLICA_SET, Kind
from packer.cluster.plan_objects import LivePlan, find_object
from packer.cluster.servers import BYTES, HOST_BYTES, INSTANCE, LEAVING, PLACED, Server, is_ready
from packer.cluster.writing import Writer
from packer.errors import InvalidInput, Problem
from packer.plan.rollout.step import Rollout, Step, StepKind

_PAUSE_SECONDS = 0.3


class Carrier:
    """Turns steps into writes and waits for what they lead to."""

    def __init__(
        self,
        writer: Writer,
        live: LivePlan,
        difference: Difference,
        *,
        patience_seconds: float,
        lost_nodes: frozenset[str] = frozenset(),
        told: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Write nothing yet.

        Args:
            writer: Where to write.
            live: What was there at the start.
            difference: What is to change.
            patience_seconds: Longest wait for one server [s].
            lost_nodes: Nodes whose kubelet is silent: nobody can say when their pods are gone.
            told: Receives one line per step.
        """
        self._writer, self._live, self._difference = writer, live, difference
        self._patience_seconds, self._told = patience_seconds, told
        self._lost_nodes = lost_nodes
        self._changes = {one.name: one for one in difference.servers}

    def carry_out(self, rollout: Rollout, *, prune: bool) -> None:
        """Everything: shared objects, the waves, and at the end what is left over.

        Raises:
            InvalidInput: Something is refused, or does not get ready in time; run it again.
            Unreachable: The cluster does not answer any more; run it again.
        """
        self._preflight()
        self._finish_releases()
        self._write_shared_objects()
        for number, wave in enumerate(rollout.waves, start=1):
            words = ", ".join(f"{step.kind.value} {step.server}" for step in wave)
            self._told(f"{number} of {len(rollout.waves)}: {words}")
            self._wave(wave)
        if prune:
            self._prune()

    def _preflight(self) -> None:
        """Have the server check every write before the first is done.

        So nothing stops half-way for a field that somebody else owns, a webhook or a bad object.
        """
        checker = Writer(
            self._writer.cluster, self._writer.namespace, self._writer.plan, dry_run=True
        )
        coming = [one.new.body for one in self._difference.servers if one.new]
        for key in self._difference.written:
            if key[0] != CLAIM.name or key not in self._live.objects:
                coming.append(self._difference.rendered[key])
        for body in coming:
            checker.apply(body)

    def _write_shared_objects(self) -> None:
        """Everything but Deployments, and but claims that must be freed before they can change."""
        for key in self._difference.written:
            there = self._live.objects.get(key)
            if key[0] != CLAIM.name or there is None:
                self._writer.apply(self._difference.rendered[key])

    def _wave(self, wave: Sequence[Step]) -> None:
        coming: list[Server] = []
        leaving: list[Server] = []
        for step in wave:
            change = self._changes[step.server]
            if step.kind is StepKind.STOP:
                leaving += self._stop(change)
            else:
                if step.kind is StepKind.REPLACE and change.old:
                    self._release(change.name, change.old)
                else:
                    leaving += self._stop(change)
                coming += [change.new] if change.new else []
        self._wait_gone(leaving)
        for server in coming:
            self._start(server)
        self._wait_ready(coming)
        released = [step.server for step in wave if step.kind is StepKind.REPLACE]
        self._end_released(released)

    def _start(self, server: Server) -> None:
        for name in server.claims.values():
            self._renew_claim(name)
        self._writer.apply(server.body)

    def _renew_claim(self, name: str) -> None:
        """Make a claim that asks for what is planned; one that cannot be changed is made anew."""
        rendered = self._difference.rendered[CLAIM.name, name]
        there = find_object(self._writer.cluster, CLAIM, self._writer.namespace, name)
        if there is not None and not unlike(rendered, there):
            return
        if there is not None and unlike(rendered["spec"], there["spec"]):
            self._writer.delete(CLAIM, name, there["metadata"]["uid"])
            uid = there["metadata"]["uid"]
            self._wait(partial(self._is_another, name, uid), f"ResourceClaim {name} is still used")
        self._writer.apply(rendered)

    def _is_another(self, name: str, uid: str) -> bool:
        there = find_object(self._writer.cluster, CLAIM, self._writer.namespace, name)
        return there is None or there["metadata"]["uid"] != uid

    def _stop(self, change: ServerChange) -> list[Server]:
        """Delete what runs of a server; the servers whose pods are to be waited for."""
        old = change.old
        if old is None:
            return []
        meta = old.body["metadata"]
        is_pod = LEAVING in meta["labels"]
        self._writer.delete(POD if is_pod else DEPLOYMENT, meta["name"], meta["uid"])
        return [] if old.node in self._lost_nodes else [old]

    def _release(self, name: str, old: Server) -> None:
        """Take a pod from its Deployment, so that it goes on while its successor starts.

        The pod is marked first: whenever this is interrupted, the mark tells whose it was.
        """
        meta = old.body["metadata"]
        annotations = meta.get("annotations") or {}
        kept = {key: annotations[key] for key in (BYTES, HOST_BYTES, PLACED) if key in annotations}
        pods = self._labelled(POD, old.instance)
        for pod in pods:
            mark = {"labels": {LEAVING: name}, "annotations": kept}
            self._writer.mark(POD, pod["metadata"]["name"], mark)
        self._writer.delete(DEPLOYMENT, meta["name"], meta["uid"], orphan=True)
        if not self._writer.dry_run:
            self._wait_without(DEPLOYMENT, meta["name"])
            self._detach(old.instance, meta["uid"])

    def _detach(self, instance: str, deployment_uid: str = "") -> None:
        """Take pods from the ReplicaSets that a Deployment left, so that nobody replaces them."""
        for one in self._labelled(REPLICA_SET, instance):
            meta = one["metadata"]
            owners = [owner["uid"] for owner in meta.get("ownerReferences") or ()]
            if not owners or owners == [deployment_uid]:
                self._writer.delete(REPLICA_SET, meta["name"], meta["uid"], orphan=True)
                self._wait_without(REPLICA_SET, meta["name"])
        for pod in self._labelled(POD, instance):
            if LEAVING in pod["metadata"]["labels"]:
                self._writer.mark(POD, pod["metadata"]["name"], {"labels": {INSTANCE: None}})

    def _finish_releases(self) -> None:
        """Go on where an earlier change was interrupted: pods whose Deployment alone is gone."""
        for server in self._live.servers.values():
            instance = server.body["metadata"]["labels"].get(INSTANCE, "")
            if server.is_leaving and instance and not self._writer.dry_run:
                self._detach(instance)

    def _end_released(self, names: Iterable[str]) -> None:
        """Delete pods whose successors answer."""
        collection = POD.collection(self._writer.namespace)
        query = {"labelSelector": ",".join((LEAVING, *self._ours))}
        wanted = set(names)
        if not wanted or self._writer.dry_run:
            return
        ending = [
            pod["metadata"]
            for pod in listed(self._writer.cluster, collection, lambda pod: pod, query)
            if pod["metadata"]["labels"][LEAVING] in wanted
        ]
        for meta in ending:
            self._writer.delete(POD, meta["name"], meta["uid"])
        for meta in ending:
            self._wait_without(POD, meta["name"])

    def _prune(self) -> None:
        """Delete objects of the plan that are not rendered any more; servers went before."""
        kinds = {name: kind for (_, name), kind in KINDS.items()}
        for kind_name, name in self._difference.gone:
            uid = self._live.objects[kind_name, name]["metadata"]["uid"]
            self._writer.delete(kinds[kind_name], name, uid)

    @property
    def _ours(self) -> tuple[str, ...]:
        return (f"app.kubernetes.io/part-of={self._writer.plan}",)

    def _labelled(self, kind: Kind, instance: str) -> list[Json]:
        query = {"labelSelector": ",".join((f"{INSTANCE}={instance}", *self._ours))}
        collection = kind.collection(self._writer.namespace)
        return listed(self._writer.cluster, collection, lambda item: item, query)

    def _wait_gone(self, servers: Sequence[Server]) -> None:
        """Wait until no pod of these servers holds anything."""
        if self._writer.dry_run:
            return
        for server in servers:
            if not server.is_leaving:
                title = f"pods of {server.name} do not go"
                self._wait(partial(self._has_no_pod, server.instance), title)
            else:
                self._wait_without(POD, server.body["metadata"]["name"])

    def _has_no_pod(self, instance: str) -> bool:
        return not self._labelled(POD, instance)

    def _wait_without(self, kind: Kind, name: str) -> None:
        self._wait(partial(self._is_missing, kind, name), f"{kind.name} {name} does not go")

    def _is_missing(self, kind: Kind, name: str) -> bool:
        return find_object(self._writer.cluster, kind, self._writer.namespace, name) is None

    def _wait_ready(self, servers: Sequence[Server]) -> None:
        if self._writer.dry_run:
            return
        for server in servers:
            title = f"{server.name} does not get ready"
            self._wait(partial(self._is_ready, server), title, partial(self._why_not, server))

    def _is_ready(self, server: Server) -> bool:
        """Whether the Deployment as applied has a ready pod."""
        found = find_object(self._writer.cluster, DEPLOYMENT, self._writer.namespace, server.name)
        status = (found or {}).get("status") or {}
        return found is not None and (
            status.get("observedGeneration") == found["metadata"]["generation"]
            and status.get("updatedReplicas", 0) >= 1
            and status.get("readyReplicas", 0) >= 1
        )

    def _why_not(self, server: Server) -> str:
        """What the scheduler or the kubelet says of a server's pods."""
        for pod in self._labelled(POD, server.instance):
            for one in pod.get("status", {}).get("conditions") or ():
                if one["status"] == "False" and one.get("message") and not is_ready(pod):
                    return f"{one['type']}: {one['message']}"
        found = find_object(self._writer.cluster, DEPLOYMENT, self._writer.namespace, server.name)
        conditions = ((found or {}).get("status") or {}).get("conditions") or ()
        failures = [one["message"] for one in conditions if one["type"] == "ReplicaFailure"]
        return failures[0] if failures else "no pod says why"

    def _wait(
        self,
        done: Callable[[], bool],
        title: str,
        why: Callable[[], str] = lambda: "the time to wait is over",
    ) -> None:
        """Return once something is so.

        Raises:
            InvalidInput: P1030, when it takes too long.
        """
        deadline = time.monotonic() + self._patience_seconds
        while not done():
            if time.monotonic() > deadline:
                help_ = "repair the cause and run the same command again; what is done stays done"
                raise InvalidInput(Problem("P1030", title, None, why(), help_))
            time.sleep(_PAUSE_SECONDS)
