"""docker-compose.yml: what it promises, read from the file, and that Docker accepts it where Docker is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from agent.settings import AgentSettings
from gateway.settings import GatewaySettings
from inference.settings import InferenceSettings
from ingest.settings import IngestSettings
from lab.settings import LabSettings
from retriever.settings import RetrieverSettings

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "docker-compose.yml"
CLUSTER = ROOT / "deploy" / "qdrant" / "cluster.yml"
OUTSIDE = ROOT / "deploy" / "docker" / "outside.yml"
SETTINGS: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "ingest": IngestSettings,
    "worker": IngestSettings,
    "retriever": RetrieverSettings,
    "inference": InferenceSettings,
    "agent": AgentSettings,
    "lab": LabSettings,
}
DEFAULT = {*SETTINGS, "secrets", "redis", "postgres", "qdrant"}


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(FILE.read_text())["services"])


def test_the_default_stack_is_the_whole_platform(services: dict[str, dict[str, Any]]) -> None:
    assert {name for name, service in services.items() if "profiles" not in service} == DEFAULT
    profiles = {name: service["profiles"] for name, service in services.items() if "profiles" in service}
    assert profiles == {"vllm": ["gpu"], "prometheus": ["observability"], "grafana": ["observability"]}


def test_only_the_gateway_is_published_and_only_on_loopback_unless_asked(services: dict[str, dict[str, Any]]) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"gateway": ["${GROUNDWORK_BIND:-127.0.0.1}:${GROUNDWORK_PORT:-8080}:8080"]}


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        tag = service["image"].rpartition(":")[2]
        assert re.fullmatch(r"v?\d[\w.]*", tag), f"{name} uses {service['image']}"


def test_every_container_is_confined_and_checked(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if not service["image"].startswith("groundwork/"):
            assert "healthcheck" in service, name
    dockerfile = (ROOT / "deploy/docker/Dockerfile").read_text()
    assert "\nUSER groundwork\n" in dockerfile
    assert "\nHEALTHCHECK " in dockerfile


@pytest.mark.parametrize("name", SETTINGS)
def test_a_variable_is_a_setting_of_the_service(name: str, services: dict[str, dict[str, Any]]) -> None:
    """One that is not would be ignored without a word."""
    fields, prefix = SETTINGS[name].model_fields, str(SETTINGS[name].model_config["env_prefix"])
    given = set(services[name]["environment"]) - {"GROUNDWORK_HEALTH"}
    assert not {variable for variable in given if variable.removeprefix(prefix).lower() not in fields}


def test_pages_that_may_call_and_where_links_begin_are_set_as_on_one_host(services: dict[str, dict[str, Any]]) -> None:
    given = {**services["gateway"]["environment"], **services["agent"]["environment"]}
    for variable in ("GATEWAY_CORS_ORIGINS", "GATEWAY_MCP_ORIGINS", "GATEWAY_TRUSTED_PROXIES", "AGENT_PUBLIC_URL"):
        assert given.get(variable) == f"${{{variable}:-}}"


def test_the_example_of_an_env_file_names_only_what_is_read() -> None:
    """Compose and `up` ignore a variable that nothing reads without a word."""
    named = set(re.findall(r"^(?:# ?)?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    files = [FILE, *(ROOT / "deploy").glob("*/*.yml")]
    read = set(re.findall(r"\$\{([A-Z0-9_]+)", "".join(file.read_text() for file in files)))
    settings = {
        str(each.model_config["env_prefix"]) + field.upper()
        for each in SETTINGS.values()
        for field in each.model_fields
    }
    assert named
    assert named - read - settings == set()


def test_all_that_is_built_takes_wheels_from_a_folder(services: dict[str, dict[str, Any]]) -> None:
    over = yaml.safe_load((ROOT / "deploy/docker/wheels.yml").read_text())["services"]
    assert set(over) == {name for name, service in services.items() if "build" in service}


def test_a_lab_that_learns_is_another_image_with_the_extra(services: dict[str, dict[str, Any]]) -> None:
    over = yaml.safe_load((ROOT / "deploy/docker/tuning.yml").read_text())["services"]
    assert set(over) == {"lab"}
    assert over["lab"]["image"] != services["lab"]["image"]
    assert f"\n{over['lab']['build']['args']['EXTRAS']} = [" in (ROOT / "services/lab/pyproject.toml").read_text()


def test_a_lab_that_learns_on_a_gpu_has_one_and_torch_s_build_for_it(services: dict[str, dict[str, Any]]) -> None:
    folder = ROOT / "deploy/docker"
    plain, over = (yaml.safe_load((folder / name).read_text())["services"] for name in ("tuning.yml", "tuning-gpu.yml"))
    lab = over["lab"]
    assert set(over) == {"lab"}
    assert lab["build"]["args"] == plain["lab"]["build"]["args"] | {"TORCH": "cuda"}
    assert lab["image"] not in {services["lab"]["image"], plain["lab"]["image"]}
    assert LabSettings(tuning_device=lab["environment"]["LAB_TUNING_DEVICE"]).tuning_device == "cuda"
    (device,) = lab["deploy"]["resources"]["reservations"]["devices"]
    (vllm,) = services["vllm"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == vllm | {"count": 1}


def test_an_image_has_torch_s_cpu_build_unless_the_other_one_is_asked_for() -> None:
    dockerfile, install = ((ROOT / "deploy/docker" / name).read_text() for name in ("Dockerfile", "install.sh"))
    assert "\nARG TORCH=cpu\n" in dockerfile
    assert 'sh install.sh third-party "${SERVICE}" "${EXTRAS}" "${TORCH}"' in dockerfile
    assert "torch=${4:-cpu}" in install
    assert '"$torch" = cuda' in install


def test_bytes_on_s3_are_settings_an_extra_and_a_way_out(services: dict[str, dict[str, Any]]) -> None:
    over = yaml.safe_load((ROOT / "deploy/docker/s3.yml").read_text())["services"]
    assert set(over) == {"ingest", "worker"}
    for service in over.values():
        assert {name.removeprefix("INGEST_").lower() for name in service["environment"]} <= set(
            IngestSettings.model_fields
        )
        assert not re.search("KEY|SECRET", str(list(service["environment"])))
        assert set(service["networks"]) - set(services["ingest"]["networks"]) == {"edge"}
        assert f"\n{service['build']['args']['EXTRAS']} = [" in (ROOT / "services/ingest/pyproject.toml").read_text()
    assert "EXTRAS" in (ROOT / "deploy/docker/Dockerfile").read_text()


def test_what_calls_out_gets_a_way_out_and_only_inference_the_keys(services: dict[str, dict[str, Any]]) -> None:
    over = yaml.safe_load(OUTSIDE.read_text())["services"]
    assert set(over) == {"ingest", "worker", "agent", "inference"}
    for name, service in over.items():
        assert set(service["networks"]) - set(services[name]["networks"]) == {"edge"}
        assert "environment" not in service, "a key is no variable of compose"
    assert {name for name, service in over.items() if "env_file" in service} == {"inference"}


def test_only_inference_and_who_reads_metrics_reach_vllm(services: dict[str, dict[str, Any]]) -> None:
    """With runtime loading whoever reaches it can have it read any path."""
    files = [file for file in (ROOT / "deploy").glob("*/*.yml") if file.name != "ray.yml"]  # on the hosts' own network
    overs = [yaml.safe_load(file.read_text()) for file in files]
    on: dict[str, set[str]] = {}
    for each in (services, *(over["services"] for over in overs if over and "services" in over)):
        for name, service in each.items():
            for network in service.get("networks", []):
                on.setdefault(network, set()).add(name)
    networks = yaml.safe_load(FILE.read_text())["networks"]
    reached = {network: names for network, names in on.items() if "vllm" in names}
    assert set.union(*reached.values()) == {"vllm", "inference", "prometheus"}
    ways_out = {network for network in reached if not networks[network].get("internal")}
    assert [on[network] for network in ways_out] == [{"vllm"}], "inference has no way out by it"


def test_the_models_file_that_is_edited_is_the_one_that_is_read(services: dict[str, dict[str, Any]]) -> None:
    """Baked into the image alone, a model that is declared would not be there after a restart."""
    mount = "./deploy/config:/etc/groundwork:ro"
    assert [name for name, service in services.items() if mount in service.get("volumes", [])] == ["inference", "vllm"]
    assert "\nCOPY deploy/config /etc/groundwork\n" in (ROOT / "deploy/docker/Dockerfile").read_text()
    assert services["inference"]["environment"]["INFERENCE_MODELS_FILE"].endswith("/etc/groundwork/models.yaml}")


def test_images_are_built_without_a_registry_where_the_base_images_are_there() -> None:
    assert not re.search(r"^# *syntax=", (ROOT / "deploy/docker/Dockerfile").read_text(), re.MULTILINE)


def test_there_is_no_default_password(services: dict[str, dict[str, Any]]) -> None:
    given = {
        f"{name}: {key}": value
        for name, service in services.items()
        for key, value in service.get("environment", {}).items()
        if re.search("PASSWORD|SECRET|TOKEN|KEY", key) and not key.endswith("_FILE")
    }
    assert given == {"vllm: HF_TOKEN": "${HF_TOKEN:-}"}


def test_the_cluster_is_three_nodes_of_the_same_image_and_of_settings_that_there_are(
    services: dict[str, dict[str, Any]],
) -> None:
    cluster = yaml.safe_load(CLUSTER.read_text())["services"]
    others = [cluster["qdrant-2"], cluster["qdrant-3"]]
    assert [node["image"] for node in others] == [services["qdrant"]["image"]] * 2
    for node in others:
        assert {name: node[name] for name in ("cap_drop", "security_opt", "user", "read_only")} == {
            name: services["qdrant"][name] for name in ("cap_drop", "security_opt", "user", "read_only")
        }
    enabled = [node["environment"]["QDRANT__CLUSTER__ENABLED"] for node in (cluster["qdrant"], *others)]
    assert enabled == ["true"] * 3
    settings = {name.removeprefix("RETRIEVER_").lower() for name in cluster["retriever"]["environment"]}
    assert settings
    assert settings <= set(RetrieverSettings.model_fields)


def test_a_write_that_the_cluster_acknowledged_is_seen_by_the_next_search() -> None:
    environment = yaml.safe_load(CLUSTER.read_text())["services"]["retriever"]["environment"]
    defaults = {name: value.partition(":-")[2].rstrip("}") for name, value in environment.items()}
    replicas, written = (int(defaults[f"RETRIEVER_QDRANT_{each}"]) for each in ("REPLICAS", "WRITE_CONSISTENCY"))
    assert written * 2 > replicas
    assert defaults["RETRIEVER_QDRANT_READ_CONSISTENCY"] == "majority"


DOCKER = pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode != 0,
    reason="docker compose is not installed here; the tests above read the file without it",
)


@DOCKER
@pytest.mark.parametrize(
    "profile",
    [
        [],
        ["--profile", "gpu"],
        ["--profile", "observability"],
        ["-f", "docker-compose.yml", "-f", "deploy/qdrant/cluster.yml"],
        ["-f", "docker-compose.yml", "-f", "deploy/grafana/published.yml", "--profile", "observability"],
        ["-f", "docker-compose.yml", "-f", "deploy/docker/embedded.yml", "-f", "deploy/docker/wheels.yml"],
        ["-f", "docker-compose.yml", "-f", "deploy/docker/tls.yml"],
        ["-f", "docker-compose.yml", "-f", "deploy/docker/outside.yml"],
        ["-f", "docker-compose.yml", "-f", "deploy/docker/tuning-gpu.yml"],
    ],
    ids=str,
)
def test_docker_accepts_the_file_as_it_is(profile: list[str]) -> None:
    done = config(*profile, "--env-file", ".env.example", "config", "--quiet")
    assert done.returncode == 0, done.stderr


@DOCKER
@pytest.mark.parametrize("more", [[], ["-f", "deploy/docker/s3.yml"]], ids=str)
def test_a_way_out_is_merged_as_it_is_meant(more: list[str], tmp_path: Path) -> None:
    keys = tmp_path / "keys.env"
    keys.write_text("OPENAI_API_KEY=sk-of-a-test\n")
    files = ["-f", "docker-compose.yml", "-f", "deploy/docker/outside.yml", *more]
    done = config(*files, "config", "--format", "json", GROUNDWORK_UPSTREAM_KEYS=str(keys))
    assert done.returncode == 0, done.stderr
    merged = json.loads(done.stdout)["services"]
    assert {name for name, service in merged.items() if "edge" in service["networks"]} == {
        *("gateway", "ingest", "worker", "agent", "inference")
    }
    assert all("inner" in service["networks"] for service in merged.values())
    assert {name for name, service in merged.items() if "sk-of-a-test" in json.dumps(service)} == {"inference"}
    assert "INFERENCE_MODELS_FILE" in merged["inference"]["environment"]


@DOCKER
def test_a_file_of_keys_that_is_not_there_is_told() -> None:
    files = ["-f", "docker-compose.yml", "-f", "deploy/docker/outside.yml"]
    done = config(*files, "config", "--quiet", GROUNDWORK_UPSTREAM_KEYS="/nowhere/keys.env")
    assert done.returncode != 0
    assert "/nowhere/keys.env" in done.stderr


def config(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What `docker compose` says, without the variables of whoever runs the tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GROUNDWORK")}
    folders = dict.fromkeys(("GROUNDWORK_WHEELS", "GROUNDWORK_TLS"), str(ROOT / "deploy"))
    return subprocess.run(
        ["docker", "compose", *arguments],
        cwd=ROOT,
        env={**environment, **folders, "INGEST_BLOBS_URL": "s3://bucket/prefix", **variables},
        capture_output=True,
        text=True,
    )
