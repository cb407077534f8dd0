"""What a plan and the options must keep to become services of hosts; nothing is repaired."""

import re
from collections import Counter
from collections.abc import Iterator

from packer.domain.image import is_image_reference
from packer.domain.mount import InvalidMount
from packer.errors import InvalidInput, Problem
from packer.host_services.options import HostOptions
from packer.host_services.servers import HostServer, host_servers
from packer.plan.plan import NodeBudget, Placement, Plan

_NAME = re.compile(r"(?=.{1,63}\Z)[a-z](?:[-a-z0-9]*[a-z0-9])?")
_PLAN = re.compile(r"(?=.{1,63}\Z)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_HOST = re.compile(
    r"(?=.{1,200}\Z)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*"
)
_UUID = re.compile(r"(?:GPU|MIG)-[0-9A-Za-z-]{1,58}")
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_.+=@,~-]+)+")
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{2,45}")
_SECRETS = frozenset(("--api-key", "--hf-token", "-hft"))
_LAST_PORT = 2**16 - 1


def check_host_plan(plan: Plan, options: HostOptions) -> None:
    """Refuse a plan or an option that cannot be written as it is.

    Raises:
        InvalidInput: With every problem found.
    """
    problems = [*_options(options), *_names(plan), *_structure(plan)]
    problems += [] if problems else _servers(plan, options)
    if problems:
        raise InvalidInput(dict.fromkeys(problems))


def _options(options: HostOptions) -> Iterator[Problem]:
    paths = {
        "program": options.program,
        "program in the image": options.image_program,
        "gpu-packer": options.checker,
        "folder of the models": options.models_folder,
        "file with the API key": options.key_file,
    }
    for what, path in paths.items():
        may_be_empty = path in (options.checker, options.key_file)
        if not _PATH.fullmatch(path) and (path or not may_be_empty):
            yield _refused(what, path, "an absolute path of letters, digits and _ . + = @ , ~ -")
    if not _ADDRESS.fullmatch(options.address):
        yield _refused("address", options.address, "an IP address such as 127.0.0.1")


def _names(plan: Plan) -> Iterator[Problem]:
    if not _PLAN.fullmatch(plan.name):
        yield _refused("plan", plan.name, "lower-case letters, digits and '-', at most 63")
    if not is_image_reference(plan.server.image):
        yield _refused("server image", plan.server.image, "an image reference, no spaces")
    for workload in plan.workloads:
        if not _NAME.fullmatch(workload.name):
            rule = "lower-case letters, digits and '-', a letter first, at most 63"
            yield _refused("workload", workload.name, rule)
    for node in plan.nodes:
        yield from _host(node)


def _host(node: NodeBudget) -> Iterator[Problem]:
    if node.is_used and not _HOST.fullmatch(node.name):
        yield _refused("host", node.name, "lower-case letters, digits, '-' and '.'")
    for card in node.cards:
        if card.uuid and not _UUID.fullmatch(card.uuid):
            yield _refused("GPU", card.uuid, "a UUID starts with GPU- or MIG-")


def _structure(plan: Plan) -> Iterator[Problem]:
    """Placements that are twice there, or nowhere."""
    replicas = Counter((placed.workload, placed.replica) for placed in plan.placements)
    known = {workload.name for workload in plan.workloads}
    cards = {node.name: {card.index for card in node.cards} for node in plan.nodes if node.is_used}
    for (workload, replica), count in replicas.items():
        if count > 1 or workload not in known or replica < 0:
            yield _contradiction(f"replica {replica} of {_shown(workload)} is not placed once")
    for placed in plan.placements:
        gpus = placed.gpus
        on_cards = gpus and len(set(gpus)) == len(gpus) == len(placed.devices)
        if not on_cards or not cards.get(placed.node, set()).issuperset(gpus):
            yield _contradiction(f"{_shown(placed.workload)} is not on cards of a used node")
        yield from _words(placed)


def _words(placed: Placement) -> Iterator[Problem]:
    name = _shown(f"{placed.workload}-{placed.replica}")
    if not placed.argv or not all(word.isprintable() for word in placed.argv):
        yield _contradiction(f"the command line of {name} is empty or holds control characters")
    if any(word.partition("=")[0] in _SECRETS for word in placed.argv):
        yield Problem(
            "P0717",
            f"the command line of {name} holds a secret",
            why="everyone who may read units, plans or process lists would see it",
            help="leave it out; the API key comes from a file",
        )


def _servers(plan: Plan, options: HostOptions) -> list[Problem]:
    return [
        problem
        for servers in host_servers(plan, options.first_port).values()
        for server in servers
        for problem in _server(server)
    ]


def _server(server: HostServer) -> Iterator[Problem]:
    workload = _shown(server.placement.workload)
    if not server.placement.variant.mount:
        yield Problem(
            "P0714",
            f"nothing says where the model of workload {workload} lies",
            help="write file: file:///srv/models/model.gguf (or pvc://NAME/path) in the fleet",
        )
    try:
        server.mounts  # noqa: B018 — asked for its refusal
    except InvalidMount as error:
        title = f"a model of workload {workload} has no usable place"
        yield Problem("P0715", title, why=str(error), help="correct file: in the fleet")
    if not 0 < server.port <= _LAST_PORT:
        yield _refused("port", str(server.port), f"1 to {_LAST_PORT}, one for every server")


def _refused(what: str, text: str, rule: str) -> Problem:
    title = f"{what} {_shown(text)} cannot be written for a host"
    return Problem("P0721", title, why=rule, help="rename it, or correct the option")


def _contradiction(title: str) -> Problem:
    return Problem("P0711", title, help="plan again; a plan file is not meant to be edited")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
