"""Where clients send requests, for people: addresses, who decides, and what must exist for it."""

from collections.abc import Iterator

from packer.domain.rendering import Gateway
from packer.kubernetes_objects.http_route import MODEL_HEADER
from packer.kubernetes_objects.litellm import MASTER_KEY, PORT, gateway_name
from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.routes import Route, routes
from packer.plan.plan import Plan


def surroundings_needs(options: RenderOptions) -> Iterator[str]:
    """What the front door, policies and monitoring need."""
    if options.gateway is Gateway.LITELLM:
        namespace = f" -n {options.namespace}" if options.namespace else ""
        yield (
            f"the Secret `{options.gateway_secret}` with the key clients send the gateway: "
            f"`kubectl create secret generic {options.gateway_secret} "
            f"--from-file={MASTER_KEY}=FILE{namespace}`"
        )
    if options.gateway is Gateway.HTTPROUTE:
        yield (
            f"the Gateway `{options.gateway_parent}` (Gateway API v1); one URL for all models "
            f"needs its body-based routing, which sets the header `{MODEL_HEADER}`"
        )
    if options.monitoring:
        yield "the Prometheus operator; memory above plan needs NVIDIA's DCGM exporter"
    if options.network_policy or options.gateway is Gateway.LITELLM:
        yield "a network plugin that enforces NetworkPolicies; without one they do nothing"


def front_door(plan: Plan, options: RenderOptions) -> Iterator[str]:
    """Addresses of the models and what decides who answers; nothing without a gateway or bands."""
    if options.gateway is Gateway.LITELLM:
        domain = f".{options.namespace}" if options.namespace else ""
        where = f"http://{gateway_name(plan)}{domain}:{PORT}/v1"
        yield f"`{where}` answers for every model by the name in the request (LiteLLM)"
    if options.gateway is Gateway.HTTPROUTE:
        yield (
            f"the Gateway's address with `/model/NAME/v1/…`, or `/v1/…` where `{MODEL_HEADER}` "
            "carries the model's name"
        )
    for route in routes(plan):
        if len(route.backends) > 1:
            yield from _bands(route, options)


def _bands(route: Route, options: RenderOptions) -> Iterator[str]:
    """How the length of a prompt decides, where it does."""
    bands = ", ".join(
        f"`{one.name}` up to {one.band.max_prompt_tokens} tokens"
        for one in route.backends
        if one.band
    )
    yield f"prompts for `{route.model}` are meant for {bands}"
    if options.gateway is Gateway.LITELLM:
        yield (
            "LiteLLM counts tokens with its own tokenizer, some per cent off the model's; a prompt "
            "at the edge of a band may go to the next"
        )
    else:
        yield f"nothing here sees how long a prompt is; `{route.model}` goes to the longest"
