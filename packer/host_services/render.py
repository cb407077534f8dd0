"""Every file of a plan on hosts: one folder per host, and notes."""

from packer.host_services.checks import check_host_plan
from packer.host_services.compose import Document, compose_file
from packer.host_services.llama_swap import llama_swap_file
from packer.host_services.notes import notes
from packer.host_services.options import HostOptions, HostTarget
from packer.host_services.servers import host_servers
from packer.host_services.systemd_units import systemd_units
from packer.plan.plan import Plan


def host_files(plan: Plan, target: HostTarget, options: HostOptions) -> "dict[str, str | Document]":
    """Relative path → text, or a document that is to be written as YAML.

    Raises:
        InvalidInput: The plan or an option cannot be written; with every problem found.
    """
    check_host_plan(plan, options)
    files: dict[str, str | Document] = {}
    hosts = host_servers(plan, options.first_port)
    for host, servers in hosts.items():
        if target is HostTarget.SYSTEMD:
            units = systemd_units(plan, host, servers, options)
            files |= {f"{host}/{name}": text for name, text in units.items()}
        elif target is HostTarget.COMPOSE:
            files[f"{host}/compose.yaml"] = compose_file(plan, servers, options)
        else:
            files[f"{host}/llama-swap.yaml"] = llama_swap_file(servers, options)
    return {"NOTES.md": notes(plan, hosts, target, options), **files}
