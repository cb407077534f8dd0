"""Which cluster a command talks to, as whom: the user's kubeconfig, as kubectl reads it."""

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from packer.errors import InvalidInput, Problem

_IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
_HELP = "give --kubeconfig FILE, set KUBECONFIG, or write ~/.kube/config"


@dataclass(frozen=True)
class Target:
    """A cluster and how to reach it.

    Attributes:
        name: What people call it: the context, or ``in-cluster``.
        configuration: The Kubernetes client's own settings: address, certificates, credentials.
    """

    name: str
    configuration: Any


def find_target(kubeconfig: str = "", context: str = "") -> Target:
    """The cluster of a kubeconfig's context; a pod without a kubeconfig finds its own cluster.

    Args:
        kubeconfig: File; empty takes ``KUBECONFIG``, then ``~/.kube/config``.
        context: Name of a context; empty takes the current one.

    Raises:
        InvalidInput: P1020 no usable kubeconfig, P1021 no such context.
    """
    files = _files(kubeconfig)
    if not files and not kubeconfig and not context and os.environ.get(_IN_CLUSTER):
        return _in_cluster()
    if not files:
        looked = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        why = f"{looked} does not exist"
        raise InvalidInput(Problem("P1020", "there is no kubeconfig", None, why, _HELP))
    return _from_files(os.pathsep.join(files), context)


def _files(kubeconfig: str) -> list[str]:
    text = kubeconfig or os.environ.get("KUBECONFIG") or str(Path("~/.kube/config"))
    paths = [text] if kubeconfig else [part for part in text.split(os.pathsep) if part]
    return [path for path in paths if Path(path).expanduser().is_file()]


def _in_cluster() -> Target:
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, load_incluster_config

    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError) as error:
        raise InvalidInput(
            Problem("P1020", "this pod has no credentials", None, str(error), _HELP)
        ) from error
    return Target("in-cluster", configuration)


def _from_files(files: str, context: str) -> Target:
    from kubernetes.client import Configuration
    from kubernetes.config import load_kube_config

    name = _context(files, context)
    configuration = Configuration()
    try:
        load_kube_config(files, name, client_configuration=configuration, persist_config=False)
    # The client raises whatever a broken file or a failing login program makes it stumble over.
    except Exception as error:
        title = f"the context {name} of {files} cannot be used"
        raise InvalidInput(Problem("P1020", title, None, _first_line(error), _HELP)) from error
    return Target(name, configuration)


def _context(files: str, wanted: str) -> str:
    """Name of the context to use, once it is known to exist."""
    from kubernetes.config import list_kube_config_contexts

    try:
        contexts, current = list_kube_config_contexts(files)
        names = [str(one["name"]) for one in contexts]
    except Exception as error:
        if wanted:
            names, current = _names_without_current(files), None
        else:
            title = f"{files} is no usable kubeconfig"
            raise InvalidInput(Problem("P1020", title, None, _first_line(error), _HELP)) from error
    name = wanted or (str(current["name"]) if current else "")
    if name in names:
        return name
    title = f"{files} has no context {name}" if name else f"{files} has no current context"
    near = get_close_matches(name, names, n=1)
    help_ = f"did you mean {near[0]}?" if near else f"contexts: {', '.join(names[:10]) or 'none'}"
    raise InvalidInput(Problem("P1021", title, help=help_))


def _names_without_current(files: str) -> list[str]:
    """Contexts of files whose ``current-context`` is missing or names none of them."""
    import yaml

    names: list[str] = []
    for path in files.split(os.pathsep):
        try:
            document = yaml.safe_load(Path(path).expanduser().read_text("utf-8"))
            names += [str(one["name"]) for one in document["contexts"]]
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            title = f"{path} is no usable kubeconfig"
            raise InvalidInput(Problem("P1020", title, None, _first_line(error), _HELP)) from error
    return names


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
