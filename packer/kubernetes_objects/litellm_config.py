"""LiteLLM's configuration: model names to Services, and prompts to the shortest band that fits.

With ``enable_pre_call_checks`` LiteLLM counts a prompt's tokens itself, leaves out deployments
whose ``max_input_tokens`` it exceeds, and takes the lowest ``order`` of the rest. It counts with a
tokenizer of its own, which may differ from the model's by some per cent; a server that gets too
long a prompt refuses it, and the request goes on to the next band as a fallback.

Source:
    LiteLLM, docs/routing: deployment ordering, pre-call checks, context window fallbacks.
"""

from collections.abc import Sequence

from packer.kubernetes_objects.options import RenderOptions
from packer.kubernetes_objects.routes import Route
from packer.kubernetes_objects.service import SERVICE_PORT
from packer.kubernetes_objects.yaml_text import KubernetesObject, Value
from packer.plan.plan import WorkloadSummary

_NO_KEY = "none"
_REQUEST_SECONDS = 3600


def litellm_config(found: Sequence[Route], options: RenderOptions) -> KubernetesObject:
    """The configuration of one gateway."""
    models: list[Value] = [
        _model(route.model, workload, order, options)
        for route in found
        for order, workload in enumerate(route.backends, 1)
    ]
    fallbacks: list[Value] = [
        {one.name: [longer.name for longer in route.backends[place + 1 :]]}
        for route in found
        for place, one in enumerate(route.backends[:-1])
    ]
    return {
        "model_list": models,
        "router_settings": {
            "enable_pre_call_checks": True,
            "num_retries": 1,
            **({"context_window_fallbacks": fallbacks} if fallbacks else {}),
        },
        "litellm_settings": {"request_timeout": _REQUEST_SECONDS, "drop_params": True},
        "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
    }


def _model(
    name: str, workload: WorkloadSummary, order: int, options: RenderOptions
) -> KubernetesObject:
    """One deployment of LiteLLM: a Service under a model name."""
    provider = "hosted_vllm" if workload.reranking else "openai"
    key = "os.environ/LLAMA_API_KEY" if options.api_key_secret else _NO_KEY
    longest = workload.band.max_prompt_tokens if workload.band else workload.context_per_slot
    return {
        "model_name": name,
        "litellm_params": {
            "model": f"{provider}/{workload.name}",
            "api_base": f"http://{workload.name}:{SERVICE_PORT}/v1",
            "api_key": key,
            "order": order,
        },
        "model_info": {"mode": _mode(workload), "max_input_tokens": longest},
    }


def _mode(workload: WorkloadSummary) -> str:
    if workload.embedding:
        return "embedding"
    return "rerank" if workload.reranking else "chat"
