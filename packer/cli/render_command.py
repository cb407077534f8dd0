"""``gpu-packer render``: what starts the servers of a plan, on Kubernetes or on hosts."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from packer.cli.console import say
from packer.cli.options import OutFolder, PlanFile
from packer.domain.node import Sharing
from packer.domain.rendering import Gateway, MigStrategy, Target
from packer.errors import InvalidInput, Problem
from packer.units import InvalidQuantity, parse_whole

if TYPE_CHECKING:
    from packer.plan.plan import Plan

_KEY_SECRET = "llama-api-key"  # noqa: S105 — the name of a Secret, not a secret
_COMMON = frozenset(("plan", "out", "target", "disk_speed"))
_HOSTS = frozenset(
    ("models_folder", "llama_server", "checker", "address", "first_port", "key_file")
)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command(
        "render",
        epilog="Examples: gpu-packer render plan.json --out manifests --sharing auto   |   "
        "gpu-packer render plan.json --out units --target systemd",
    )(render)


def render(
    context: typer.Context,
    plan: PlanFile,
    out: OutFolder,
    target: Annotated[
        Target, typer.Option(help="What runs the servers: a cluster, or hosts named by the nodes.")
    ] = Target.KUBERNETES,
    disk_speed: Annotated[
        str,
        typer.Option(metavar="200M", help="Slowest disk to wait for while models load [bytes/s]."),
    ] = "200M",
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Namespace of every object.")
    ] = "llm",
    create_namespace: Annotated[
        bool, typer.Option("--create-namespace", help="Render the Namespace too.")
    ] = False,
    sharing: Annotated[
        Sharing | None,
        typer.Option(help="How cards are shared; overrides the pools' own. auto says why."),
    ] = None,
    mig_strategy: Annotated[
        MigStrategy, typer.Option(help="How the device plugin names MIG slices.")
    ] = MigStrategy.MIXED,
    pool_selector: Annotated[
        list[str] | None,
        typer.Option(metavar="POOL:KEY=VALUE", help="Label of a pool's nodes; may be repeated."),
    ] = None,
    allow_host_path: Annotated[
        bool,
        typer.Option(
            "--allow-host-path",
            help="Mount file:// models from the node; gives up Pod Security 'restricted'.",
        ),
    ] = False,
    api_key_secret: Annotated[
        str, typer.Option(help="Secret with the servers' API key; empty serves without one.")
    ] = _KEY_SECRET,
    gateway: Annotated[
        Gateway | None,
        typer.Option(help="One front door for all models; else what the fleet says."),
    ] = None,
    gateway_image: Annotated[
        str, typer.Option(metavar="IMAGE", help="Image of LiteLLM; pin its version.")
    ] = "ghcr.io/berriai/litellm-non_root:main-stable",
    gateway_parent: Annotated[
        str, typer.Option(metavar="[NAMESPACE/]NAME", help="Gateway that HTTPRoutes attach to.")
    ] = "llm",
    monitoring: Annotated[
        bool, typer.Option("--monitoring", help="Render PodMonitors and alert rules.")
    ] = False,
    monitoring_namespace: Annotated[
        str, typer.Option(help="Namespace of Prometheus, which network policies let in.")
    ] = "monitoring",
    network_policy: Annotated[
        bool,
        typer.Option("--network-policy", help="Deny the pods all traffic they are not for."),
    ] = False,
    log_buffers: Annotated[
        bool,
        typer.Option(
            "--log-buffers",
            help="Servers log what they allocate, for verify; and some 25 lines per request.",
        ),
    ] = False,
    models_folder: Annotated[
        str, typer.Option(metavar="DIR", help="Where volumes such as pvc:// lie on the hosts.")
    ] = "/models",
    llama_server: Annotated[
        str, typer.Option(metavar="PATH", help="llama-server on the hosts.")
    ] = "/usr/local/bin/llama-server",
    checker: Annotated[
        str,
        typer.Option(metavar="PATH", help="gpu-packer on the hosts; empty starts unchecked."),
    ] = "/usr/local/bin/gpu-packer",
    address: Annotated[
        str, typer.Option(metavar="IP", help="Address the servers of hosts listen on.")
    ] = "127.0.0.1",
    first_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the first server of each host.")
    ] = 8080,
    key_file: Annotated[
        str,
        typer.Option(metavar="PATH", help="File with LLAMA_API_KEY=…; empty serves without one."),
    ] = "/etc/gpu-packer/llama-server.env",
) -> None:
    """Write what starts every llama-server of a plan: manifests, units or configurations."""
    from packer import api

    _refuse_others(context, target)
    disk = _bytes_per_second(disk_speed)
    saved = api.read_plan(plan)
    if target is not Target.KUBERNETES:
        choices = {
            "program": llama_server,
            "checker": checker,
            "models_folder": models_folder,
            "address": address,
            "first_port": first_port,
            "key_file": key_file,
            "disk_bytes_per_second": disk,
        }
        _render_hosts(saved, out, target, choices)
        return
    written = api.render(
        saved,
        out,
        namespace=namespace,
        create_namespace=create_namespace,
        sharing=sharing,
        mig_strategy=mig_strategy,
        pool_selectors=_selectors(pool_selector or []),
        allow_host_path=allow_host_path,
        api_key_secret=api_key_secret,
        gateway=gateway or saved.policy.gateway,
        gateway_image=gateway_image,
        gateway_parent=gateway_parent,
        monitoring=monitoring,
        monitoring_namespace=monitoring_namespace,
        network_policy=network_policy,
        log_buffers=log_buffers,
        disk_bytes_per_second=disk,
    )
    say(f"{len(written)} files in {out}; apply them with: kubectl apply --server-side -k {out}")
    for line in api.guarantees(saved, sharing=sharing):
        say(f"  {line}")


def _render_hosts(saved: "Plan", out: str, target: Target, choices: dict[str, Any]) -> None:
    from packer import api
    from packer.host_services.options import HostOptions, HostTarget

    options, kind = HostOptions(**choices), HostTarget(target.value)
    written = api.render_host_services(saved, out, kind, options)
    say(f"{len(written)} files in {out}; NOTES.md says where they go")
    for line in api.host_guarantees(saved, kind, options):
        say(f"  {line}")


def _refuse_others(context: typer.Context, target: Target) -> None:
    """Refuse options that mean nothing for the target.

    Raises:
        InvalidInput: P0722.
    """
    given = {
        name
        for name in context.params
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    }
    on_hosts = target is not Target.KUBERNETES
    foreign = given - _COMMON - _HOSTS if on_hosts else given & _HOSTS
    if foreign:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(foreign))
        where = "a cluster" if on_hosts else "hosts"
        raise InvalidInput(
            Problem(
                "P0722",
                f"{names}: no option of --target {target.value}",
                why=f"it is for {where}",
                help="leave it out, or choose another --target",
            )
        )


def _selectors(texts: list[str]) -> dict[str, dict[str, str]]:
    """Labels by pool of ``POOL:KEY=VALUE``.

    Raises:
        InvalidInput: P0723, for every text that is not of this form.
    """
    found: dict[str, dict[str, str]] = {}
    problems = []
    for text in texts:
        pool, colon, label = text.partition(":")
        key, equals, value = label.partition("=")
        if pool and colon and key and equals:
            found.setdefault(pool, {})[key] = value
        else:
            title = f"--pool-selector {text[:80]!r} names no pool and label"
            problems.append(Problem("P0723", title, help="write l40s:example.com/pool=big"))
    if problems:
        raise InvalidInput(problems)
    return found


def _bytes_per_second(text: str) -> int:
    """A speed above zero.

    Raises:
        InvalidInput: P0723.
    """
    try:
        speed = parse_whole(text)
    except InvalidQuantity as error:
        why = str(error)
    else:
        if speed > 0:
            return speed
        why = "it is no speed at all"
    title = f"--disk-speed {text[:40]!r} is no number of bytes per second"
    raise InvalidInput(Problem("P0723", title, why=why, help="write 200M or 2G"))
