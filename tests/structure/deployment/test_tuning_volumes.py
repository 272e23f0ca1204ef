"""What tuning needs where services run in containers: room, files that are there, and ways to the stores."""

from __future__ import annotations

import re

import pytest
import yaml
from tests.support.deployment.kubernetes import (
    FOLDER,
    ROOT,
    Document,
    compose,
    container,
    documents,
    named,
    pod,
    values,
    workloads,
)

from inference.tuned.encoder_files import MOST_KEPT
from lab.settings import LabSettings
from lab.tuning.repository import MOST_ARTIFACT_BYTES

ALL = [*documents("base"), *documents("components")]
RUNNING = workloads(ALL)
ENCODER_BYTES = 500_000_000
"""Of 118 million parameters in float32, which multilingual-e5-small has."""
COMPONENT = FOLDER / "components/vllm-adapters"
CLAIMS = named(documents("components/vllm-adapters"), "PersistentVolumeClaim")
ADAPTERS = values(RUNNING["inference"])["INFERENCE_VLLM_ADAPTERS_DIR"]


def _mounted() -> dict[str, dict[str, tuple[str, bool]]]:
    """By workload what the component mounts: of each claim the path, and whether it can only be read."""
    found: dict[str, dict[str, tuple[str, bool]]] = {}
    for patch in yaml.safe_load((COMPONENT / "kustomization.yaml").read_text())["patches"]:
        added: dict[str, list[Document]] = {"volumes": [], "containers/0/volumeMounts": []}
        for operation in yaml.safe_load(patch["patch"]):
            added[operation["path"].removeprefix("/spec/template/spec/").removesuffix("/-")].append(operation["value"])
        claims = {each["name"]: each["persistentVolumeClaim"] for each in added["volumes"]}
        mounts = {each["name"]: each for each in added["containers/0/volumeMounts"]}
        workload = RUNNING[patch["target"]["name"]]
        assert claims.keys() == mounts.keys()
        assert not claims.keys() & {each["name"] for each in pod(workload)["volumes"]}
        assert not {each["mountPath"] for each in mounts.values()} & {
            each["mountPath"] for each in container(workload)["volumeMounts"]
        }
        assert all(claims[name].get("readOnly", False) is mounts[name].get("readOnly", False) for name in claims)
        found[patch["target"]["name"]] = {
            claims[name]["claimName"]: (each["mountPath"], each.get("readOnly", False)) for name, each in mounts.items()
        }
    return found


def test_what_was_learnt_is_on_one_volume_at_one_path_for_inference_and_for_vllm() -> None:
    claim = CLAIMS["vllm-adapters"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    mounted = {name: claims["vllm-adapters"] for name, claims in _mounted().items()}
    assert mounted == {"inference": (ADAPTERS, False), "vllm": (ADAPTERS, True)}
    shared = [f"vllm-adapters:{ADAPTERS}", f"vllm-adapters:{ADAPTERS}:ro"]
    assert [each for name in ("inference", "vllm") for each in compose()[name]["volumes"] if each in shared] == shared


def test_the_files_that_jobs_learn_on_lie_where_inference_and_vllm_read_them() -> None:
    text = (ROOT / "docs/tuning.md").read_text()
    entries = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    (model,) = [each[0] for each in entries if isinstance(each, list) and "lora" in each[0].get("vllm", {})]
    named_files = [model["tokenizer"], model["vllm"]["lora"]["weights"]["path"]]
    assert named_files
    for claims in _mounted().values():
        path, read_only = claims["model-files"]
        assert read_only
        assert all(file.startswith(f"{path}/") for file in named_files)
        for name in ("inference", "vllm"):
            assert f"${{GROUNDWORK_MODELS:-model-files}}:{path}:ro" in compose()[name]["volumes"]
    assert CLAIMS.keys() == {"vllm-adapters", "model-files"}
    assert "model-files" in yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]


def test_what_tuning_writes_into_inference_s_folder_does_not_get_its_pods_evicted() -> None:
    """Encoders, one more while it is made, and all that some tenants may keep, their last job's included."""
    inference = RUNNING["inference"]
    (mount,) = [
        each
        for each in container(inference)["volumeMounts"]
        if each["mountPath"] == values(inference)["INFERENCE_DATA_DIR"]
    ]
    (data,) = [each for each in pod(inference)["volumes"] if each["name"] == mount["name"]]
    gibibytes = int(data["emptyDir"]["sizeLimit"].removesuffix("Gi"))
    tenant = int(LabSettings.model_fields["tuning_bytes_kept"].default) + MOST_ARTIFACT_BYTES
    assert gibibytes * 2**30 >= (MOST_KEPT + 1) * ENCODER_BYTES + 4 * tenant
    assert f"an `emptyDir` of {gibibytes}Gi" in (ROOT / "docs/tuning.md").read_text()


@pytest.mark.parametrize("port", [5432, 6379])
def test_trial_stores_let_in_every_pod_that_calls_them(port: int) -> None:
    policies = named(ALL, "NetworkPolicy")
    (rule,) = policies["trial-stores"]["spec"]["ingress"]
    (expression,) = rule["from"][0]["podSelector"]["matchExpressions"]
    assert {"port": port} in rule["ports"]
    callers = {
        name
        for name in RUNNING.keys() & policies.keys()
        for each in policies[name]["spec"].get("egress", [])
        if "to" not in each and {"port": port} in each["ports"]
    }
    assert callers
    assert callers <= set(expression["values"])
