"""deploy/k8s: valid by Kubernetes' own schemas, and true of the services, of compose and of the calls that are made."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic_settings import BaseSettings
from tests.support.deployment.kubernetes import (
    FOLDER,
    ROOT,
    Document,
    allowed,
    check,
    compose,
    container,
    documents,
    named,
    pod,
    rendered,
    values,
    workloads,
)

from agent.settings import AgentSettings
from gateway.settings import GatewaySettings
from inference.catalog.models_file import load_models_file
from inference.settings import InferenceSettings
from ingest.pictures.service import AT_ONCE
from ingest.settings import IngestSettings
from lab.settings import LabSettings
from retriever.settings import RetrieverSettings

SETTINGS: dict[str, type[BaseSettings]] = {
    "gateway": GatewaySettings,
    "ingest": IngestSettings,
    "worker": IngestSettings,
    "retriever": RetrieverSettings,
    "inference": InferenceSettings,
    "agent": AgentSettings,
    "lab": LabSettings,
}
BASE = documents("base")
ALL = [*BASE, *documents("components")]
RUNNING = workloads(ALL)
OURS = {name: workload for name, workload in RUNNING.items() if name in SETTINGS}
NOT_CONFINED_LIKE_THE_OTHERS = {
    "vllm"
}  # its image runs as root and writes where it likes; without capabilities it does
KUSTOMIZE = next(
    (command for command in (["kubectl", "kustomize"], ["kustomize", "build"]) if shutil.which(command[0])), None
)


def _label(document: Document) -> str:
    return f"{document['kind']} {document['metadata']['name']}"


@pytest.mark.parametrize("document", ALL, ids=_label)
def test_kubernetes_takes_every_object(document: Document) -> None:
    check(document)


@pytest.mark.parametrize("file", sorted(FOLDER.rglob("kustomization.yaml")), ids=lambda file: file.parent.name)
def test_a_kustomization_names_what_is_there_and_all_of_it(file: Path) -> None:
    content = yaml.safe_load(file.read_text())
    files = [name for each in content.get("configMapGenerator", []) for name in each["files"]]
    listed = {*content.get("resources", []), *content.get("components", []), *files}
    assert not [name for name in listed if not (file.parent / name).exists()]
    assert {path.name for path in file.parent.glob("*.*")} - {"kustomization.yaml"} <= listed
    assert all((file.parent / name / "kustomization.yaml").is_file() for name in listed if ".." in name)


def test_the_base_is_the_whole_platform() -> None:
    assert set(workloads(BASE)) == {*SETTINGS, "qdrant"}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_variable_is_a_setting_of_the_service(name: str) -> None:
    settings = SETTINGS[name]
    prefix = str(settings.model_config["env_prefix"])
    given = {each["name"] for each in container(OURS[name])["env"]} - {"GROUNDWORK_HEALTH"}
    assert {variable.removeprefix(prefix).lower() for variable in given} <= set(settings.model_fields)
    assert all(variable.startswith(prefix) for variable in given)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_container_s_ports_are_the_service_s(name: str) -> None:
    fields = SETTINGS[name].model_fields
    wanted = ("worker_port",) if name == "worker" else ("port", "model_plane_port", "metrics_port")
    defaults = {int(fields[each].default) for each in wanted if each in fields}
    given = {int(value) for variable, value in values(OURS[name]).items() if variable.endswith("_PORT")}
    assert {each["containerPort"] for each in container(OURS[name])["ports"]} == defaults == given


@pytest.mark.parametrize("name", RUNNING)
def test_images_and_commands_are_those_of_compose(name: str) -> None:
    assert container(RUNNING[name])["image"] == compose()[name]["image"]
    if name in OURS:
        assert container(RUNNING[name]).get("command") == compose()[name].get("command")


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_say_the_same_as_in_compose(name: str) -> None:
    """But for addresses, for files that are a volume there and a Secret here, for a collector of traces, and for what
    compose only passes on, which is empty unless it is set."""
    here, there = values(OURS[name]), compose()[name]["environment"]
    differ = {variable for variable in here if variable in there and here[variable] != there[variable]}
    assert not {variable for variable in differ if not variable.endswith(("_URL", "_KEY_FILE", "_MODELS_FILE"))}
    traces = {variable for variable in there if variable.endswith(("_OTLP_ENDPOINT", "_OTLP_HEADERS", "_TRACE_RATIO"))}
    passed_on = {variable for variable, value in there.items() if re.fullmatch(r"\$\{\w+:-\}", str(value))}
    assert set(there) - traces - passed_on <= set(here) | {"INGEST_PORT"}, "which a worker has no use for"


@pytest.mark.parametrize("name", RUNNING)
def test_a_container_is_confined(name: str) -> None:
    inside, outside = container(RUNNING[name])["securityContext"], pod(RUNNING[name])
    assert inside["capabilities"] == {"drop": ["ALL"]}
    assert inside["allowPrivilegeEscalation"] is False
    assert outside["automountServiceAccountToken"] is False
    assert outside["enableServiceLinks"] is False, "GATEWAY_PORT=tcp://… would be set over the setting"
    assert outside["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    if name not in NOT_CONFINED_LIKE_THE_OTHERS:
        assert inside["readOnlyRootFilesystem"] is True
        assert outside["securityContext"]["runAsNonRoot"] is True
        assert outside["securityContext"]["runAsUser"] > 0
    assert container(RUNNING[name])["resources"]["requests"].keys() >= {"cpu", "memory"}
    assert "memory" in container(RUNNING[name])["resources"]["limits"]


@pytest.mark.parametrize("name", SETTINGS)
def test_probes_ask_the_service_itself_and_readiness_waits_for_its_parts(name: str) -> None:
    service = container(OURS[name])
    ports = {each["name"] for each in service["ports"]}
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert service[probe]["httpGet"]["path"] == path
        assert service[probe]["httpGet"]["port"] in ports
    assert service["readinessProbe"]["timeoutSeconds"] > 3, "servicekit.core.probes.PROBE_SECONDS"


def test_memory_is_limited_to_what_children_may_have_and_what_their_process_needs() -> None:
    children = {
        "worker": {"INGEST_PARSE_TOTAL_BYTES": 1},
        "ingest": {"INGEST_RESTORE_MEMORY_BYTES": 1, "INGEST_PICTURE_MEMORY_BYTES": AT_ONCE},
    }
    for name, own in {"worker": 1024, "ingest": 512}.items():
        for setting, at_once in children[name].items():
            default = IngestSettings.model_fields[setting.removeprefix("INGEST_").lower()].default
            own += at_once * int(values(OURS[name]).get(setting, default)) // 2**20
        amount, unit = re.fullmatch(r"(\d+)(Gi|Mi)", container(OURS[name])["resources"]["limits"]["memory"]).groups()  # type: ignore[union-attr]
        mebibytes = int(amount) * (1024 if unit == "Gi" else 1)
        assert mebibytes == own


def test_no_service_waits_for_one_that_waits_for_it() -> None:
    """The agent service's readiness asks the model plane, so the gateway's must not ask for the agent service."""
    assert container(OURS["gateway"])["readinessProbe"]["httpGet"]["port"] == "models"


@pytest.mark.parametrize("name", SETTINGS)
def test_a_pod_that_ends_has_time_to_finish_its_calls(name: str) -> None:
    waits = container(OURS[name])["lifecycle"]["preStop"]["sleep"]["seconds"]
    shutdown = float(SETTINGS[name].model_fields["shutdown_seconds"].default)
    assert pod(OURS[name])["terminationGracePeriodSeconds"] >= waits + shutdown + 10


def _calls() -> set[tuple[str, str, int]]:
    """Who calls whom at which port, by the addresses in the variables."""
    services = named(ALL, "Service")
    found = set()
    for name, workload in OURS.items():
        for variable, value in values(workload).items():
            if variable.endswith("_URL"):
                address = urlsplit(value)
                target = services[str(address.hostname)]
                assert address.port in {each["port"] for each in target["spec"]["ports"]}
                found.add((name, target["spec"]["selector"]["app.kubernetes.io/name"], int(address.port or 0)))
    return found


def test_policies_allow_the_calls_that_there_are_and_no_other() -> None:
    calls = _calls() | {("qdrant", "qdrant", 6335)}
    assert set(allowed(BASE, "egress")) == calls
    assert {(caller, name, port) for name, caller, port in allowed(BASE, "ingress")} == calls


def test_only_the_gateway_s_public_port_can_be_reached_from_outside() -> None:
    policies = named(ALL, "NetworkPolicy")
    closed = policies["nothing-unless-allowed"]["spec"]
    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    from_anywhere = {
        (name, port["port"])
        for name, policy in policies.items()
        for rule in policy["spec"].get("ingress", [])
        if "from" not in rule
        for port in rule["ports"]
    }
    assert from_anywhere == {("gateway", 8080)}
    assert {service["spec"].get("type", "ClusterIP") for service in named(ALL, "Service").values()} == {"ClusterIP"}


def test_every_pod_has_a_policy_and_monitoring_reaches_its_metrics() -> None:
    for name, workload in (OURS | {name: RUNNING[name] for name in ("vllm", "lab-tuning")}).items():
        annotations = workload["spec"]["template"]["metadata"]["annotations"]
        rules = named(ALL, "NetworkPolicy")[name]["spec"]["ingress"]
        (port,) = [rule["ports"] for rule in rules if "namespaceSelector" in str(rule)]
        assert port == [{"port": int(annotations["prometheus.io/port"])}]


def test_selectors_find_their_pods_and_ports() -> None:
    for name, workload in RUNNING.items():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"].items() <= labels.items(), name
    for service in named(ALL, "Service").values():
        target = container(RUNNING[service["spec"]["selector"]["app.kubernetes.io/name"]])
        ports = {each["name"]: each["containerPort"] for each in target["ports"]}
        assert all(ports[each["targetPort"]] == each["port"] for each in service["spec"]["ports"])


def test_what_scales_by_itself_has_no_fixed_number_and_what_runs_may_be_moved_one_by_one() -> None:
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in named(ALL, "HorizontalPodAutoscaler").values()}
    assert scaled == {"gateway", "ingest", "retriever", "inference", "agent", "lab"}
    assert not [name for name in scaled if "replicas" in RUNNING[name]["spec"]]
    budgets = named(BASE, "PodDisruptionBudget")
    assert set(budgets) == set(workloads(BASE))
    assert all(each["spec"]["maxUnavailable"] == 1 for each in budgets.values())


def test_nothing_learns_where_the_processor_s_load_ends_and_begins_pods_and_memory_is_short() -> None:
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in named(ALL, "HorizontalPodAutoscaler").values()}
    labs = [name for name in scaled if container(RUNNING[name])["image"].startswith("groundwork/lab:")]
    assert {values(RUNNING[name]).get("LAB_TUNING_SLOTS") for name in labs} == {"0"}


def test_what_learns_on_a_gpu_is_one_pod_that_does_nothing_else_and_that_nobody_asks() -> None:
    learner, gpu = RUNNING["lab-tuning"], {"nvidia.com/gpu": 1}
    given, base = values(learner), values(OURS["lab"])
    settings = LabSettings.model_validate({name.removeprefix("LAB_").lower(): text for name, text in given.items()})
    slots = {name: getattr(settings, name) for name in LabSettings.model_fields if name.endswith("_slots")}
    assert slots == dict.fromkeys(slots, 0) | {"tuning_slots": 1}
    assert settings.tuning_device == compose()["lab-tuning"]["environment"]["LAB_TUNING_DEVICE"] == "cuda"
    assert base | {"LAB_TUNING_SLOTS": "1"} == {name: given[name] for name in base}
    assert set(given) <= {f"LAB_{name.upper()}" for name in LabSettings.model_fields}
    resources = container(learner)["resources"]
    assert all(resources[each].items() >= gpu.items() for each in ("requests", "limits"))
    assert (learner["spec"]["replicas"], learner["spec"]["strategy"]) == (1, {"type": "Recreate"})
    (data,) = [each for each in pod(learner)["volumes"] if each["name"] == "data"]
    assert data["persistentVolumeClaim"]["claimName"] in named(ALL, "PersistentVolumeClaim")
    same = {"securityContext", "volumeMounts", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle", "ports"}
    assert {name: container(learner)[name] for name in same} == {name: container(OURS["lab"])[name] for name in same}


def test_what_learns_on_a_gpu_may_call_and_be_let_in_where_the_lab_is() -> None:
    learners = documents("components/tuning-gpu")
    assert [each["kind"] for each in learners] == ["Deployment", "PersistentVolumeClaim", "NetworkPolicy"]
    calls = {(other, port) for name, other, port in allowed(BASE, "egress") if name == "lab"}
    assert {(other, port) for _, other, port in allowed(learners, "egress")} == calls
    assert not set(allowed(learners, "ingress"))
    let_in = set()
    for patch in yaml.safe_load((FOLDER / "components/tuning-gpu/kustomization.yaml").read_text())["patches"]:
        (operation,) = yaml.safe_load(patch["patch"])
        assert (operation["op"], operation["path"]) == ("add", "/spec/ingress/-"), "beside what may call already"
        policy = {"kind": "NetworkPolicy", "metadata": {"name": patch["target"]["name"]}}
        let_in |= set(allowed([policy | {"spec": {"ingress": [operation["value"]]}}], "ingress"))
    assert let_in == {(name, "lab-tuning", port) for name, port in calls}


def test_a_component_s_way_out_comes_beside_those_that_there_are() -> None:
    for file in FOLDER.glob("components/*/kustomization.yaml"):
        for patch in yaml.safe_load(file.read_text()).get("patches", []):
            if patch["target"].get("kind") == "NetworkPolicy":
                assert {each["path"] for each in yaml.safe_load(patch["patch"])} <= {
                    "/spec/ingress/-",
                    "/spec/egress/-",
                }


def test_workers_are_scaled_by_a_metric_that_ingest_measures() -> None:
    scaled = named(ALL, "ScaledObject")["worker"]["spec"]
    (trigger,) = scaled["triggers"]
    metrics = (ROOT / "services/ingest/src/ingest/metrics.py").read_text()
    assert f'"{re.findall("groundwork_[a-z_]+", trigger["metadata"]["query"])[0]}"' in metrics
    assert trigger["metadata"]["threshold"] == values(OURS["worker"])["INGEST_WORKER_SLOTS"]
    assert int(trigger["metadata"]["threshold"]) == IngestSettings.model_fields["worker_slots"].default
    assert scaled["scaleTargetRef"]["name"] == "worker"
    assert scaled["minReplicaCount"] >= 1


def test_a_search_sees_every_write_that_the_cluster_acknowledged() -> None:
    given = values(OURS["retriever"])
    replicas, written = (int(given[f"RETRIEVER_QDRANT_{each}"]) for each in ("REPLICAS", "WRITE_CONSISTENCY"))
    assert written * 2 > replicas
    assert given["RETRIEVER_QDRANT_READ_CONSISTENCY"] == "majority"
    assert RUNNING["qdrant"]["spec"]["replicas"] >= replicas


def test_vllm_serves_a_model_that_inference_looks_for_there() -> None:
    file = ROOT / "deploy/config/models.gpu.yaml"
    assert load_models_file(file)
    name, *_ = container(RUNNING["vllm"])["args"]
    served = runpy.run_path(str(ROOT / "deploy/vllm/serve.py"))["declared"](file, name)
    address = urlsplit(served["source"]["base_url"])
    assert named(ALL, "Service")[str(address.hostname)]["spec"]["ports"][0]["port"] == address.port
    assert container(RUNNING["vllm"])["command"] == compose()["vllm"]["entrypoint"]
    gpus = int(values(RUNNING["vllm"])["VLLM_TENSOR_PARALLEL"])
    assert container(RUNNING["vllm"])["resources"]["limits"]["nvidia.com/gpu"] == gpus


def test_bytes_on_s3_take_the_place_of_the_volume_that_all_share() -> None:
    folder = FOLDER / "components/s3-blobs"
    given = named(documents("components"), "ConfigMap")["groundwork-blobs"]["data"]
    assert {name.removeprefix("INGEST_").lower() for name in given} <= set(IngestSettings.model_fields)
    assert IngestSettings(**{name.removeprefix("INGEST_").lower(): text for name, text in given.items()}).s3_place()
    workload, claim = yaml.safe_load((folder / "kustomization.yaml").read_text())["patches"]
    assert claim["target"]["name"] in named(BASE, "PersistentVolumeClaim")
    for operation in yaml.safe_load(workload["patch"]):
        if operation["path"].startswith("/spec/template/spec/volumes/3"):
            assert all(pod(OURS[name])["volumes"][3]["name"] == "data" for name in ("ingest", "worker"))
        else:
            assert operation["path"] == "/spec/template/spec/containers/0/envFrom"
            assert not [name for name in ("ingest", "worker") if "envFrom" in container(OURS[name])]
    (policy,) = [each for each in documents("components") if each["metadata"]["name"] == "blobs-to-s3"]
    assert policy["spec"]["podSelector"]["matchExpressions"][0]["values"] == ["ingest", "worker"]


def test_trial_stores_have_the_databases_of_compose() -> None:
    copy = FOLDER / "components/trial-stores/databases.sql"
    assert copy.read_text() == (ROOT / "deploy/docker/databases.sql").read_text()


@pytest.mark.skipif(
    KUSTOMIZE is None, reason="neither kubectl nor kustomize is installed here; the tests above read the files"
)
@pytest.mark.parametrize("folder", ["base", "overlays/trial", "overlays/gpu"])
def test_kustomize_renders_it_and_kubernetes_takes_it(folder: str) -> None:
    assert KUSTOMIZE is not None
    found = rendered(KUSTOMIZE, folder)
    for document in found:
        check(document)
    assert all(each["metadata"].get("namespace") == "groundwork" for each in found if each["kind"] != "Namespace")
    maps = {
        each["configMap"]["name"]: each["name"]
        for workload in workloads(found).values()
        for each in pod(workload)["volumes"]
        if "configMap" in each
    }
    assert set(maps) - set(named(found, "ConfigMap")) == {"groundwork-delegation"}, "the one that make_secrets.py makes"
    assert maps.keys() >= {name for name in named(found, "ConfigMap") if name.startswith("vllm-serve")}
    assert set(workloads(found)) >= set(SETTINGS)
    if folder == "overlays/gpu":
        assert "replicas" not in workloads(found)["worker"]["spec"]
        assert [name.rpartition("-")[0] for name, volume in maps.items() if volume == "models"] == ["models-gpu"]
        assert ("inference", "vllm", 8000) in set(allowed(found, "egress"))
