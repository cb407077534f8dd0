"""What separates a running plan from a rendered one: servers first, then everything else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from packer.cluster.connection import Json
from packer.cluster.likeness import unlike
from packer.cluster.object_kinds import CLAIM, Key, key_of
from packer.cluster.plan_objects import LivePlan
from packer.cluster.servers import Server, is_server, server_of
from packer.plan.plan import Plan


@dataclass(frozen=True)
class ServerChange:
    """One server that is not as rendered.

    Attributes:
        old: As it runs; None if it does not. new: As rendered; None if it is to go.
        fields: Fields of its Deployment or claims that differ, for people.
    """

    name: str
    old: Server | None
    new: Server | None
    fields: tuple[str, ...] = ()

    @property
    def is_move(self) -> bool:
        """Whether it goes to other cards."""
        return (
            self.old is not None
            and self.new is not None
            and (self.old.node, self.old.cards) != (self.new.node, self.new.cards)
        )


@dataclass(frozen=True)
class Difference:
    """What a change would do.

    Attributes:
        kept: Servers that stay as they are.
        written: Other objects that are missing or not as rendered, and Deployments whose pods
            are as rendered.
        gone: Other objects of the plan that are not rendered any more.
        rendered: Every rendered object.
    """

    servers: tuple[ServerChange, ...]
    kept: tuple[Server, ...]
    written: tuple[Key, ...]
    gone: tuple[Key, ...]
    rendered: Mapping[Key, Json]

    @property
    def is_empty(self) -> bool:
        """Whether the cluster is as rendered."""
        return not (self.servers or self.written or self.gone)


def compare(live: LivePlan, rendered: Iterable[Json]) -> Difference:
    """The difference between what runs and what was rendered. Reads nothing more."""
    wanted = {key_of(body): body for body in rendered}
    unlike_now = {
        key: unlike(body, live.objects[key]) for key, body in wanted.items() if key in live.objects
    }
    changes: list[ServerChange] = []
    kept: list[Server] = []
    updated: list[Key] = []
    ours = {key: body for key, body in wanted.items() if is_server(body)}
    for key, body in ours.items():
        new, old = server_of(body), live.servers.get(key[1])
        fields = (*unlike_now.get(key, ()), *_claim_fields(new, unlike_now))
        if old is None or not old.is_available or any(map(_restarts, fields)):
            changes.append(ServerChange(new.name, old, new, fields))
        else:
            kept.append(new)
            updated += [key] if fields else []
    names = {key[1] for key in ours}
    changes += [
        ServerChange(name, old, None) for name, old in live.servers.items() if name not in names
    ]
    others = [key for key in wanted if key not in ours]
    return Difference(
        servers=tuple(changes),
        kept=tuple(kept),
        written=(
            *(key for key in others if key not in unlike_now or unlike_now[key]),
            *updated,
        ),
        gone=tuple(
            key for key, body in live.objects.items() if key not in wanted and not is_server(body)
        ),
        rendered=wanted,
    )


def _restarts(field: str) -> bool:
    """Whether a differing field of a Deployment, or of a claim, means another pod."""
    return not field.startswith(("metadata.", "spec.")) or field.startswith("spec.template")


def _claim_fields(server: Server, unlike_now: Mapping[Key, Sequence[str]]) -> tuple[str, ...]:
    """Differing fields of the claims a server shares; one in use cannot be changed."""
    return tuple(
        f"{name}: {field}"
        for name in server.claims.values()
        for field in unlike_now.get((CLAIM.name, name), ())
        if field.startswith("spec")
    )


def difference_text(difference: Difference, plan: Plan) -> str:
    """A difference in words, one line per server, with cards and cost before and after."""
    if difference.is_empty:
        return f"the cluster runs the plan {plan.name}: {len(difference.kept)} servers as planned"
    lines = [_server_line(one) for one in difference.servers]
    lines += [f"write    {kind} {name}" for kind, name in difference.written]
    lines += [f"left over  {kind} {name}" for kind, name in difference.gone]
    before = [one.old for one in difference.servers if one.old] + list(difference.kept)
    after = [one.new for one in difference.servers if one.new] + list(difference.kept)
    lines.append(f"servers: {len(before)} → {len(after)}; {len(difference.kept)} stay as they are")
    lines.append(f"cards: {_cards(before)} → {_cards(after)}")
    costs = [_cost(servers, plan) for servers in (before, after)]
    shown = [f"{cost:.2f}" if cost is not None else "unknown" for cost in costs]
    lines.append(f"cost per hour: {shown[0]} → {shown[1]} {plan.currency}".rstrip())
    return "\n".join(lines)


def _server_line(change: ServerChange) -> str:
    old, new = change.old, change.new
    if new is None:
        return f"gone     {change.name}" + (f" from {_where(old)}" if old else "")
    if old is None:
        return f"new      {change.name} on {_where(new)}"
    if change.is_move:
        return f"move     {change.name}: {_where(old)} → {_where(new)}"
    if not change.fields:
        return f"broken   {change.name} on {_where(new)}: it does not answer"
    return f"restart  {change.name} on {_where(new)}: {', '.join(change.fields)}"


def _where(server: Server) -> str:
    return f"{server.node} {' '.join(f'gpu{gpu}' for gpu in server.cards)}".strip()


def _cards(servers: Iterable[Server]) -> int:
    return len({(server.node, gpu) for server in servers for gpu in server.cards})


def _cost(servers: Iterable[Server], plan: Plan) -> Decimal | None:
    """Price of all nodes with a server; None if a price, or a node, is unknown."""
    prices = {node.name: node.price_per_hour for node in plan.nodes}
    total = Decimal(0)
    for node in {server.node for server in servers}:
        price = prices.get(node)
        if price is None:
            return None
        total += price
    return total
