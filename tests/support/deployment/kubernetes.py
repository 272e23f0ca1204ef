"""What deploy/k8s declares, read without a cluster."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "k8s"
OLDEST = "1.30"
"""Of Kubernetes: the first whose `preStop` can sleep without a shell."""
KEDA = json.loads((Path(__file__).parent / "keda_scaledobject.json").read_text())

Document = dict[str, Any]


def documents(folder: str) -> list[Document]:
    """Every object of the files below a folder of deploy/k8s, kustomizations and models left out."""
    found = []
    for path in sorted((FOLDER / folder).rglob("*.yaml")):
        if path.name not in {"kustomization.yaml", "models.yaml"}:
            found += [each for each in yaml.safe_load_all(path.read_text()) if each]
    return found


def rendered(tool: list[str], folder: str) -> list[Document]:
    """What kustomize makes of a folder."""
    done = subprocess.run([*tool, FOLDER / folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def check(document: Document) -> None:
    """Raise where the object is not one that Kubernetes, or KEDA, would take."""
    if document["apiVersion"].startswith("keda.sh/"):
        jsonschema.Draft202012Validator(KEDA).validate(document)
        return
    kubernetes_validate.validate(document, OLDEST, strict=True)


def named(found: list[Document], kind: str) -> dict[str, Document]:
    """The objects of one kind by name."""
    return {each["metadata"]["name"]: each for each in found if each["kind"] == kind}


def workloads(found: list[Document]) -> dict[str, Document]:
    """What runs containers, by name."""
    return named(found, "Deployment") | named(found, "StatefulSet")


def pod(workload: Document) -> Document:
    """The pod that a workload makes."""
    return dict(workload["spec"]["template"]["spec"])


def container(workload: Document) -> Document:
    """A workload's only container."""
    (only,) = pod(workload)["containers"]
    return dict(only)


def values(workload: Document) -> dict[str, str]:
    """The plain variables of its container."""
    return {each["name"]: each["value"] for each in container(workload)["env"] if "value" in each}


def allowed(found: list[Document], direction: str) -> Iterator[tuple[str, str, int]]:
    """What the network policies let through from pod to pod: (whose policy, the other, port)."""
    for name, policy in named(found, "NetworkPolicy").items():
        for rule in policy["spec"].get(direction, []):
            for peer in rule.get("from" if direction == "ingress" else "to", []):
                labels = peer.get("podSelector", {}).get("matchLabels", {})
                if "app.kubernetes.io/name" in labels:
                    yield from ((name, labels["app.kubernetes.io/name"], port["port"]) for port in rule["ports"])


@cache
def compose() -> dict[str, Document]:
    """The services of docker-compose.yml, and `lab-tuning`: its lab with what deploy/docker/tuning-gpu.yml says."""
    services = dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"])
    over = yaml.safe_load((ROOT / "deploy/docker/tuning-gpu.yml").read_text())["services"]["lab"]
    environment = services["lab"]["environment"] | over["environment"]
    return services | {"lab-tuning": services["lab"] | over | {"environment": environment}}
