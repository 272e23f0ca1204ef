"""Models that a tenant's tuning jobs have published, through the public API, with the real inference service behind the
real gateway: its keys alone find, ask, name and remove them."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from tests.contract.platform.test_added_models import ADDED, ask, gateway
from tests.support.gateway.running import RunningGateway

__all__ = ["gateway"]
HEAD = {
    "labels": ["late", "odd"],
    "embedding_model": "words",
    "weights": base64.b64encode(np.linspace(-2, 2, 2 * 48, dtype="<f4").tobytes()).decode(),
    "bias": [0.5, -0.25],
}
NAME = "words+acme.triage"
SCOPES = ["chat", "evaluations:read", "evaluations:write"]


@pytest.fixture
async def keys(gateway: RunningGateway) -> dict[str, str]:  # pytest's way
    """Of `acme`, which has a tuned model; of another tenant with all that a key may; of `acme` without `tune`."""
    wanted: dict[str, dict[str, Any]] = {
        "own": {"tenant": "acme", "scopes": SCOPES},
        "reader": {"tenant": "acme", "scopes": ["chat"]},
        "other": {"tenant": "other", "scopes": [*SCOPES, "admin"]},
        "limited": {"tenant": "acme", "scopes": SCOPES, "models": ["words"]},
    }
    made = {name: (await gateway.new_key(**options))["secret"] for name, options in wanted.items()}
    await publish(gateway, made["own"])
    return made


async def publish(gateway: RunningGateway, secret: str) -> None:  # pytest's way
    """As the lab does, with the token that a job's grant is exchanged for."""
    principal = await gateway.deps.authenticator.identify(f"Bearer {secret}")
    token = gateway.deps.issuer.token(principal, ("inference",), "req_1")
    body = {
        "parent": "words", "job": "ftjob_1", "digest": f"sha256:{'0' * 64}", "head": HEAD,
        "method": "classification", "training_set": "set:tickets@1",
    }  # fmt: skip
    inference = gateway.deps.peers.inference._base  # its address
    put = await gateway.session.put(
        f"{inference}/v1/tuned-models/triage", json=body, headers={"Authorization": f"Bearer {token}"}
    )
    assert put.status == 200, await put.text()
    gateway.deps.catalog.discard()


async def listed(gateway: RunningGateway, key: str) -> list[str]:  # pytest's way
    return [one["id"] for one in (await (await gateway.call("GET", "/v1/models", key)).json())["data"]]


async def test_only_its_tenant_s_keys_find_and_ask_it(gateway: RunningGateway, keys: dict[str, str]) -> None:
    asked = {"model": NAME, "input": "where is it"}
    for name, sees in (("own", True), ("reader", True), ("other", False), ("limited", False)):
        assert (NAME in await listed(gateway, keys[name])) == sees, name
        shown = await gateway.call("GET", f"/v1/models/{NAME}", keys[name])
        classified = await gateway.call("POST", "/v1/classify", keys[name], json=asked)
        assert (shown.status, classified.status) == ((200, 200) if sees else (404, 404)), name
    shown = await (await gateway.call("GET", f"/v1/models/{NAME}", keys["own"])).json()
    assert (shown["tenant"], shown["parent"], shown["tuned"]["job"]) == ("acme", "words", "ftjob_1")


async def test_an_administrator_of_another_tenant_neither_routes_to_it_nor_replaces_nor_removes_it(
    gateway: RunningGateway,
    keys: dict[str, str],
) -> None:
    for key in (keys["other"], gateway.admin_key):
        put = await gateway.call("PUT", f"/v1/models/{NAME}", key, json=ADDED)
        gone = await gateway.call("DELETE", f"/v1/models/{NAME}", key)
        routed = await gateway.call("PUT", "/v1/routes/mine", key, json={"targets": [{"model": NAME}]})
        assert (put.status, gone.status, routed.status) == (409, 404, 400)
        none = await gateway.call("PUT", "/v1/routes/mine", key, json={"targets": [{"model": "nobody"}]})
        assert (await routed.json())["error"]["code"] == (await none.json())["error"]["code"]
    assert NAME in await listed(gateway, keys["own"])


async def test_a_key_that_may_tune_removes_it_and_the_audit_says_who(
    gateway: RunningGateway,
    keys: dict[str, str],
) -> None:
    for name in ("reader", "limited"):
        assert (await gateway.call("DELETE", f"/v1/models/{NAME}", keys[name])).status == 403
    assert (await gateway.call("DELETE", "/v1/models/words", keys["own"])).status == 403
    assert (await gateway.call("DELETE", f"/v1/models/{NAME}", keys["own"])).status == 204
    assert NAME not in await listed(gateway, keys["own"])
    (entry,) = (await (await gateway.call("GET", f"/v1/audit?subject={NAME.replace('+', '%2B')}")).json())["data"]
    assert entry["action"] == "model.delete"


async def test_a_chat_model_of_one_tenant_answers_its_keys_alone_also_by_a_route(gateway: RunningGateway) -> None:
    made = [(await gateway.new_key(tenant=tenant, scopes=["chat"]))["secret"] for tenant in ("acme", "other")]
    admin = (await gateway.new_key(tenant="acme", scopes=["admin"]))["secret"]
    assert (await gateway.call("PUT", "/v1/models/theirs", json=ADDED | {"tenant": "acme"})).status == 200
    targets = [{"model": "theirs", "weight": 1}, {"model": "talker", "weight": 0}]
    routed = await gateway.call("PUT", "/v1/routes/smart", admin, json={"targets": targets})
    assert routed.status == 200, await routed.text()
    question = {"messages": [{"role": "user", "content": "What is in France?"}]}
    found = {}
    for tenant, key in zip(("acme", "other"), made, strict=True):
        for model in ("theirs", "smart"):
            answer = await gateway.call("POST", "/v1/chat/completions", key, json=question | {"model": model})
            said = await answer.json()
            found[tenant, model] = said["model"] if answer.status == 200 else answer.status
    assert found == {
        ("acme", "theirs"): "theirs",
        ("acme", "smart"): "theirs",
        ("other", "theirs"): 404,
        ("other", "smart"): "talker",
    }
    assert (await ask(gateway, "theirs"))[0] == 404
