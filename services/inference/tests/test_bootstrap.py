from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from services.inference.tests.corrections import correction
from services.inference.tests.projections import projection

from inference.bootstrap import open_dependencies
from inference.engines.batched.embedding import BatchedEmbedding
from inference.engines.head.classification import HeadClassifier
from inference.engines.head.correction import CorrectedReading
from inference.engines.head.projection import ProjectedEmbedding
from inference.engines.judge.guard import ChatGuard
from inference.engines.judge.reading import ChatJudge
from inference.engines.openai.vectors import UpstreamEmbedding, UpstreamRank
from inference.engines.scripted.reading import ScriptedReading
from inference.engines.scripted.vectors import ScriptedRank
from inference.engines.sentence_transformers.reading import FolderReading
from inference.engines.wrappers.constrained_tools import ConstrainedTools
from inference.engines.wrappers.normalized_calls import NormalizedCalls
from inference.engines.wrappers.raw_prompts import RawPrompts
from inference.settings import InferenceSettings

SERVER = {"base_url": "http://upstream.test/v1", "upstream_model": "big"}
CHAT = {"kind": "chat", "context_length": 64}
EMBEDDING = {"kind": "embedding", "max_input_tokens": 16, "dimensions": 8}


@pytest.mark.parametrize(
    ("declared", "engine"),
    [
        ({**CHAT, "engine": "openai", "source": SERVER}, NormalizedCalls),
        ({**CHAT, "engine": "openai", "source": SERVER, "tool_protocol": "constrained"}, ConstrainedTools),
        ({**CHAT, "engine": "scripted"}, RawPrompts),
        ({**CHAT, "engine": "llamacpp", "source": {"path": "/nowhere/m.gguf"}}, RawPrompts),
        ({**EMBEDDING, "engine": "openai", "source": SERVER}, UpstreamEmbedding),
        ({**EMBEDDING, "engine": "scripted"}, BatchedEmbedding),
        (
            {**EMBEDDING, "engine": "projection", "source": {"projection": projection(8)}},
            ProjectedEmbedding,
        ),
        ({"kind": "rerank", "engine": "openai", "source": SERVER}, UpstreamRank),
        ({"kind": "rerank", "engine": "scripted"}, ScriptedRank),
        ({"kind": "reading", "engine": "scripted"}, ScriptedReading),
        ({"kind": "reading", "engine": "judge", "source": {"chat_model": "default"}}, ChatJudge),
        ({"kind": "reading", "engine": "correction", "source": {"correction": correction()}}, CorrectedReading),
        ({"kind": "classification", "engine": "head", "source": {"path": "/nowhere/head.json"}}, HeadClassifier),
        ({"kind": "classification", "engine": "judge", "source": {"chat_model": "default"}}, ChatGuard),
        ({"kind": "reading", "engine": "sentence-transformers", "source": {"path": "/nowhere"}}, FolderReading),
    ],
)
async def test_a_declaration_picks_its_engine(tmp_path: Path, declared: dict[str, Any], engine: type) -> None:
    (tmp_path / "models.yaml").write_text(yaml.safe_dump({"models": [{"name": "m", **declared}]}))
    async with open_dependencies(InferenceSettings(models_file=tmp_path / "models.yaml", data_dir=tmp_path)) as opened:
        assert type(opened.models.any("m").engine) is engine
