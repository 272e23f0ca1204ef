from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inference.declarations.entry import read_entry
from inference.declarations.restrictions import Restrictions
from inference.errors import DeclarationRefused
from inference.settings import InferenceSettings, key_hosts

ADDRESSES = {"api.openai.com": ["1.1.1.1"], "inside.example": ["10.0.0.7"], "both.example": ["1.1.1.1", "127.0.0.1"]}


async def look_up(host: str) -> list[str]:
    if host not in ADDRESSES:
        raise OSError(host)
    return ADDRESSES[host]


def restrictions(folder: Path | None = None, **settings: Any) -> Restrictions:
    chosen = InferenceSettings(**settings)
    return Restrictions(
        chosen.added_policy(), key_hosts(chosen.added_keys), (folder,) if folder is not None else (), look_up
    )


def server(base_url: str, **more: Any) -> Any:
    source = {"base_url": base_url, "upstream_model": "m", **more}
    return read_entry("m", {"kind": "chat", "engine": "openai", "context_length": 64, "source": source})


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.openai.com/v1",
        "http://127.0.0.1:11434/v1",
        "http://localhost:8000/v1",
        "https://nobody.example/v1",
    ],
)
async def test_public_hosts_and_the_usual_servers_of_this_machine_may_be_named(base_url: str) -> None:
    await restrictions().check(server(base_url))


@pytest.mark.parametrize(
    ("base_url", "says"),
    [
        ("http://127.0.0.1:8103/v1", "port"),
        ("http://127.0.0.1/v1", "this machine"),
        ("http://2130706433:11434/v1", "number"),
        ("http://[::1]/v1", "this machine"),
        ("http://169.254.169.254/v1", "link-local|metadata"),
        ("http://10.0.0.7/v1", "private"),
        ("http://inside.example/v1", "private"),
        ("https://both.example/v1", "this machine"),
        ("https://user:secret@api.openai.com/v1", "user"),
        ("https://api.openai.com:6379/v1", "port"),
    ],
)
async def test_what_is_inside_is_refused_and_the_setting_named(base_url: str, says: str) -> None:
    with pytest.raises(DeclarationRefused, match=says) as refused:
        await restrictions().check(server(base_url))
    assert "INFERENCE_ADDED_HOSTS" in refused.value.message
    assert (refused.value.param, refused.value.http_status) == ("source.base_url", 400)


async def test_an_operator_names_a_private_host_or_network() -> None:
    await restrictions(added_hosts="inside.example").check(server("http://inside.example/v1"))
    await restrictions(added_networks="10.0.0.0/8").check(server("http://10.0.0.7/v1"))


async def test_metrics_are_asked_only_where_a_server_may_be() -> None:
    with pytest.raises(DeclarationRefused) as refused:
        await restrictions().check(server("https://api.openai.com/v1", metrics_url="http://10.0.0.7/metrics"))
    assert refused.value.param == "source.metrics_url"


@pytest.mark.parametrize("key", ["GATEWAY_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "COHERE_API_KEY"])
async def test_no_variable_is_sent_to_a_host_that_it_is_not_for(key: str) -> None:
    with pytest.raises(DeclarationRefused, match=f"{key}=api.openai.com to INFERENCE_ADDED_KEYS") as refused:
        await restrictions().check(server("https://api.openai.com/v1", api_key_env=key))
    assert refused.value.param == "source.api_key_env"


async def test_a_key_is_sent_to_its_host() -> None:
    await restrictions().check(server("https://api.openai.com/v1", api_key_env="OPENAI_API_KEY"))
    other = restrictions(added_keys="MINE=127.0.0.1:11434")
    await other.check(server("http://127.0.0.1:11434/v1", api_key_env="MINE"))
    with pytest.raises(DeclarationRefused):
        await other.check(server("http://127.0.0.1:8000/v1", api_key_env="MINE"))


async def test_folders_and_tokenizers_are_read_only_where_the_operator_says_and_links_are_followed(
    tmp_path: Path,
) -> None:
    inside, outside = tmp_path / "models", tmp_path / "etc"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    limits = restrictions(inside)
    weights = {"kind": "rerank", "engine": "sentence-transformers", "max_input_tokens": 64}
    await limits.check(read_entry("m", weights | {"source": {"path": str(inside / "m")}}))
    for path in (outside, inside / "link", inside / ".." / "etc"):
        with pytest.raises(DeclarationRefused, match="INFERENCE_ADDED_FOLDERS"):
            await limits.check(read_entry("m", weights | {"source": {"path": str(path)}}))
    declared = {"kind": "chat", "engine": "scripted", "context_length": 64, "tokenizer": str(outside / "passwd")}
    with pytest.raises(DeclarationRefused) as refused:
        await limits.check(read_entry("m", declared))
    assert refused.value.param == "tokenizer"


async def test_a_gguf_file_may_lie_anywhere(tmp_path: Path) -> None:
    source = {"path": str(tmp_path / "m.gguf")}
    await restrictions().check(
        read_entry("m", {"kind": "chat", "engine": "llamacpp", "context_length": 64, "source": source})
    )


@pytest.mark.parametrize("words", ["OPENAI_API_KEY", "=host", "A B=host", "A="])
def test_words_that_make_no_sense_keep_the_service_from_starting(words: str) -> None:
    with pytest.raises(ValueError, match="NAME=host"):
        InferenceSettings(added_keys=words)
