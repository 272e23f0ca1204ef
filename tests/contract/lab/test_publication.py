"""Tuned models as the lab has them served, by the real inference service, and as OpenAI's clients see them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.inference.running import CHAT, EMBEDDING, serving, settings_for

from contracts.access.delegation import Delegation
from inference.bootstrap import create_app
from inference.dependencies import Dependencies
from lab.tuning.publication import InferencePublisher, Learnt, Refused
from servicekit.auth.delegation import DelegationSigner, generate_key_pair
from servicekit.core.errors import PeerError
from servicekit.peers.client import Peer, open_session

HEAD = {
    "labels": ["late", "odd"],
    "embedding_model": "words",
    "weights": base64.b64encode(np.linspace(-2, 2, 2 * 48, dtype="<f4").tobytes()).decode(),
    "bias": [0.5, -0.25],
}
CONTENT = json.dumps(HEAD).encode()


class Lab:
    """The lab's publisher in front of a running inference, with tokens as a tuning job's grant gives them."""

    def __init__(self, peer: Peer, signer: DelegationSigner, inference: Dependencies) -> None:
        self.publisher, self.peer, self.inference = InferencePublisher(peer), peer, inference
        self._signer = signer

    def token(self, tenant: str = "acme", **claims: Any) -> Any:
        known = {"scopes": ("chat", "evaluations:write"), "key_id": "key_1", "request_id": "req_1", **claims}

        async def signed() -> str:
            claims = Delegation(audiences=("inference",), tenant=tenant, **known)
            return self._signer.sign(claims, timedelta(hours=1))

        return signed

    def served(self) -> dict[str, str]:
        """The jobs of tuned models, by name."""
        models = [one.model for one in self.inference.models.all]
        return {model.name: model.tuned.job for model in models if model.tuned is not None}


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    private, public = generate_key_pair()
    settings = settings_for(tmp_path, [CHAT, EMBEDDING], tuned_models_per_tenant=2)
    settings.delegation_public_key_file.write_bytes(public)
    app = create_app(settings)
    async with serving(app) as url, open_session() as session:
        peer = Peer("inference", url, session, 60.0)
        while not hasattr(app.state, "dependencies"):  # noqa: ASYNC110  # it has no event
            await asyncio.sleep(0.01)
        await app.state.dependencies.models.loaded()
        yield Lab(peer, DelegationSigner(private), app.state.dependencies)


def learnt(job: str = "ftjob_1", content: bytes = CONTENT, **changes: Any) -> Learnt:
    async def pieces() -> AsyncIterator[bytes]:
        for first in range(0, len(content), 100):
            yield content[first : first + 100]

    result = {
        "kind": "classification",
        "artifact": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "words": "better: +0.4 correct",
        "figures": {"accuracy": 0.9, "p": 0.001},
        **changes.pop("result", {}),
    }
    row = {
        "id": job,
        "fence": 1,
        "tenant": "acme",
        "model": "words",
        "suffix": "triage",
        "method": "classification",
        "settings": {},
        "training_set": "tickets",
        "training_version": 3,
        "result": result,
        **changes,
    }
    return Learnt(row, pieces)


async def test_what_was_learnt_is_served_to_its_tenant_until_the_job_is_deleted(lab: Lab) -> None:
    assert await lab.publisher.publish(learnt(), lab.token()) == "words+acme.triage"
    info = lab.inference.models.any("words+acme.triage").info()
    assert info.tuned is not None
    assert (info.state, info.labels, info.parent) == ("ready", ["late", "odd"], "words")
    assert (info.tuned.training_set, info.tuned.figures["accuracy"]) == ("set:tickets@3", 0.9)
    assert await lab.publisher.publish(learnt("ftjob_2", suffix=None), lab.token()) == "words+acme.ftjob_2"
    await lab.publisher.unpublish("ftjob_1", lab.token("other"))
    assert lab.served() == {"words+acme.triage": "ftjob_1", "words+acme.ftjob_2": "ftjob_2"}
    await lab.publisher.unpublish("ftjob_1", lab.token())
    assert lab.served() == {"words+acme.ftjob_2": "ftjob_2"}


async def test_any_earlier_version_is_served_again_for_as_long_as_its_job_is_there(lab: Lab) -> None:
    name, jobs = "words+acme.triage", [f"ftjob_{number}" for number in range(1, 5)]
    versions = {job: CONTENT + b" " * number for number, job in enumerate(jobs)}
    for job, content in versions.items():
        assert await lab.publisher.publish(learnt(job, content), lab.token()) == name
    for job in (*reversed(jobs), jobs[0]):
        assert await lab.publisher.publish(learnt(job, versions[job]), lab.token()) == name
        info = lab.inference.models.any(name).info()
        assert info.tuned is not None
        assert (lab.served(), info.state) == ({name: job}, "ready")
        assert info.tuned.digest == f"sha256:{hashlib.sha256(versions[job]).hexdigest()}"
    await lab.publisher.unpublish(jobs[0], lab.token())
    assert lab.served() == {name: jobs[1]}, "of the version before it comes back by itself"


async def test_a_refusal_is_told_as_why_it_is_not_published(lab: Lab) -> None:
    for suffix in ("one", "two"):
        await lab.publisher.publish(learnt(suffix=suffix), lab.token())
    cases = {
        "too_many_tuned_models": learnt(suffix="three"),
        "model_not_found": learnt(model="nobody"),
        "model_not_tunable": learnt(model="talker", result={"kind": "chat"}),
    }
    for code, what in cases.items():
        with pytest.raises(Refused) as refused:
            await lab.publisher.publish(what, lab.token())
        assert refused.value.why.code == code
    with pytest.raises(Refused) as refused:
        await lab.publisher.publish(learnt(), lab.token(models=("talker",)))
    assert refused.value.why.code == "model_not_found"
    assert set(lab.served()) == {"words+acme.one", "words+acme.two"}


async def test_what_can_t_be_loaded_is_unpublishn_and_told(lab: Lab) -> None:
    head = HEAD | {"weights": base64.b64encode(np.zeros(2 * 7, dtype="<f4").tobytes()).decode()}
    with pytest.raises(Refused) as refused:
        await lab.publisher.publish(learnt(content=json.dumps(head).encode()), lab.token())
    assert refused.value.why.code == "model_not_loaded"
    assert lab.served() == {}


async def test_what_can_t_be_loaded_leaves_the_version_before_served(lab: Lab) -> None:
    assert await lab.publisher.publish(learnt(), lab.token()) == "words+acme.triage"
    head = HEAD | {"weights": base64.b64encode(np.zeros(2 * 7, dtype="<f4").tobytes()).decode()}
    with pytest.raises(Refused):
        await lab.publisher.publish(learnt("ftjob_2", json.dumps(head).encode()), lab.token())
    assert lab.served() == {"words+acme.triage": "ftjob_1"}
    assert lab.inference.models.any("words+acme.triage").state == "ready"


async def test_what_is_wrong_with_the_token_now_is_not_what_is_wrong_with_what_was_learnt(lab: Lab) -> None:
    async def old() -> str:
        return "expired"

    with pytest.raises(PeerError) as refused:
        await lab.publisher.publish(learnt(), old)
    assert refused.value.http_status == 401
