"""What the API server refuses, in words, and which RBAC rule a request needs."""

import pytest

from packer.cluster.refusals import Rule, refusal, rule_of


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("GET", "/api/v1/nodes", Rule("", "nodes", "list")),
        ("GET", "/api/v1/namespaces/llm", Rule("", "namespaces", "get")),
        ("GET", "/api/v1/namespaces/llm/pods", Rule("", "pods", "list", "llm")),
        (
            "GET",
            "/api/v1/namespaces/llm/pods/chat-0:8080/proxy/props",
            Rule("", "pods/proxy", "get", "llm"),
        ),
        (
            "PATCH",
            "/apis/apps/v1/namespaces/llm/deployments/chat-0",
            Rule("apps", "deployments", "patch", "llm"),
        ),
        (
            "DELETE",
            "/apis/resource.k8s.io/v1/namespaces/llm/resourceclaims/a",
            Rule("resource.k8s.io", "resourceclaims", "delete", "llm"),
        ),
    ],
)
def test_the_rule_a_request_needs(method: str, path: str, rule: Rule) -> None:
    assert rule_of(method, path) == rule


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (401, "Unauthorized", "P1022"),
        (403, 'pods is forbidden: User "a" cannot list resource "pods"', "P1023"),
        (403, "exceeded quota: none", "P1024"),
        (404, "the server could not find the requested resource", "P1024"),
        (409, "Apply failed with 1 conflict", "P1024"),
    ],
)
def test_refusals_have_codes(status: int, message: str, code: str) -> None:
    error = refusal(status, "GET", "/api/v1/pods", message)
    assert (error.status, error.problems[0].code) == (status, code)
    assert message in str(error)
