"""HTTPRoutes: a Gateway of the cluster sends model names to Services.

A Gateway routes by what stands in headers and paths; the model's name stands in the body. Where a
body-based router is installed, it copies the name into a header, and one URL serves every model.
Without one, the name in the path does: ``/model/NAME/v1/…``. No Gateway sees how long a prompt is.

Source:
    Gateway API v1; Gateway API Inference Extension, body-based routing: ``X-Gateway-Model-Name``.
"""

from packer.kubernetes_objects.labels import metadata, plan_labels
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.routes import Route
from packer.kubernetes_objects.service import SERVICE_PORT
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import Plan

MODEL_HEADER = "X-Gateway-Model-Name"
# An answer of many tokens takes its time.
_TIMEOUTS = {"request": "1h", "backendRequest": "1h"}


def http_route(plan: Plan, route: Route, options: RenderOptions) -> KubernetesObject:
    """Route of one model name; of several bands, to the one that takes every prompt."""
    namespace, _, gateway = options.gateway_parent.rpartition("/")
    parent = {"name": gateway, **({"namespace": namespace} if namespace else {})}
    backends: list[Value] = [{"name": route.widest.name, "port": SERVICE_PORT}]
    path: KubernetesObject = {"type": "PathPrefix", "value": f"/model/{route.model}"}
    by_header: KubernetesObject = {"name": MODEL_HEADER, "type": "Exact", "value": route.model}
    rewrite: KubernetesObject = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(route.model, options.namespace, plan_labels(plan)),
        "spec": {
            "parentRefs": [parent],
            "rules": [
                {
                    "matches": [{"headers": [by_header]}],
                    "backendRefs": backends,
                    "timeouts": _TIMEOUTS,
                },
                {
                    "matches": [{"path": path}],
                    "filters": [{"type": "URLRewrite", "urlRewrite": rewrite}],
                    "backendRefs": backends,
                    "timeouts": _TIMEOUTS,
                },
            ],
        },
    }
