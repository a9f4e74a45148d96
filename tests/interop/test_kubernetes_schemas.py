"""What is rendered for Kubernetes, against the schemas that Kubernetes, the Gateway API and Envoy Gateway publish."""

import json
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]  # it brings no types
import pytest
import yaml

from handfast.targets.contract import Level, Setting, Target
from tests.contract.test_targets import setting_of, target_named

# Where each kind that is no part of Kubernetes itself has its schema: a Go module, and the file in it.
CRDS = {
    "Gateway": ("sigs.k8s.io/gateway-api@v1.4.1", "config/crd/standard/gateway.networking.k8s.io_gateways.yaml"),
    "HTTPRoute": ("sigs.k8s.io/gateway-api@v1.4.1", "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"),
    "ClientTrafficPolicy": (
        "github.com/envoyproxy/gateway@v1.6.0",
        "charts/gateway-helm/crds/generated/gateway.envoyproxy.io_clienttrafficpolicies.yaml",
    ),
}


def resources(name: str, level: Level) -> list[dict[str, Any]]:
    target: Target = target_named(name)
    setting: Setting = replace(setting_of(target), level=level, names=("www.example.org", "api.example.org"))
    text = next(file.content for file in target.render(setting) if file.path.endswith(".yaml"))
    return list(yaml.safe_load_all(text))


@cache
def schema_of(kind: str, version: str) -> dict[str, Any]:
    module, path = CRDS[kind]
    if shutil.which("go") is None:
        pytest.skip("go is not installed: it fetches the schemas of the Gateway API")
    done = subprocess.run(
        ["go", "mod", "download", "-json", module], capture_output=True, text=True, check=False, cwd="/", timeout=120
    )
    if done.returncode != 0:
        pytest.skip(f"the Go module {module} cannot be fetched")
    crd = yaml.safe_load((Path(json.loads(done.stdout)["Dir"]) / path).read_text(encoding="utf-8"))
    found = next(one for one in crd["spec"]["versions"] if one["name"] == version)
    schema: dict[str, Any] = closed(found["schema"]["openAPIV3Schema"])
    return schema


def closed(schema: Any) -> Any:
    """The same schema, in which a field that it does not name is an error, as it is for kubectl."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if "properties" in made and "additionalProperties" not in made and made.get("type") == "object":
        made["additionalProperties"] = False
    return made


def validate(resource: dict[str, Any]) -> None:
    version = resource["apiVersion"].partition("/")[2]
    schema = schema_of(resource["kind"], version)
    jsonschema.Draft7Validator(schema).validate({**resource, "metadata": {}})


@pytest.mark.parametrize("level", Level)
def test_an_ingress_is_as_kubernetes_wants_it(level: Level) -> None:
    for resource in resources("ingress-nginx", level):
        kubernetes_validate.validate(resource, "1.32", strict=True)


@pytest.mark.parametrize("level", Level)
def test_gateway_route_and_policy_are_as_their_schemas_want_them(level: Level) -> None:
    found = resources("envoy-gateway", level)
    assert [resource["kind"] for resource in found] == list(CRDS)
    for resource in found:
        validate(resource)


def test_a_misspelled_field_of_the_policy_is_noticed() -> None:
    policy = resources("envoy-gateway", Level.MODERN)[2]
    policy["spec"]["tls"]["clientValidations"] = policy["spec"]["tls"].pop("clientValidation")
    with pytest.raises(jsonschema.ValidationError):
        validate(policy)
