from __future__ import annotations

from pathlib import Path

import pytest
from cli.tests.installation import PORTS, overrides

from groundwork.stack.configuration.environment import Wiring, process_environment, service_settings
from groundwork.stack.configuration.files import unknown_settings
from groundwork.stack.configuration.overrides import Overrides, Setting
from groundwork.stack.home.folder import Home

SERVICES = ("gateway", "ingest", "retriever", "inference", "agent", "lab")


@pytest.fixture
def wiring(home: Home) -> Wiring:
    return Wiring(home, PORTS, "redis://:secret@127.0.0.1:1/0", "run-1")


def test_services_find_each_other_and_listen_on_loopback_only(home: Home, wiring: Wiring) -> None:
    settings = {name: service_settings(name, wiring, overrides(home)) for name in SERVICES}
    for name in SERVICES:
        assert settings[name][f"{name.upper()}_HOST"].text == "127.0.0.1"
        assert settings[name][f"{name.upper()}_PORT"].text == str(PORTS[name])
    assert settings["gateway"]["GATEWAY_AGENT_URL"].text == f"http://127.0.0.1:{PORTS['agent']}"
    plane = f"http://127.0.0.1:{PORTS['model_plane']}"
    assert settings["agent"]["AGENT_GATEWAY_URL"].text == settings["ingest"]["INGEST_GATEWAY_URL"].text == plane


@pytest.mark.parametrize("service", SERVICES)
def test_what_up_chooses_are_settings_that_the_service_knows(home: Home, wiring: Wiring, service: str) -> None:
    chosen = Overrides(service_settings(service, wiring, overrides(home)))
    assert unknown_settings(chosen, service) == []


def test_the_environment_wins_over_the_homes_file_and_that_over_dotenv(
    home: Home, wiring: Wiring, tmp_path: Path
) -> None:
    home.create()
    home.settings_file.write_text("AGENT_LOG_LEVEL=error\nAGENT_CONTEXT_TOKENS=100\n")
    dotenv = tmp_path / ".env"
    dotenv.write_text("AGENT_LOG_LEVEL=info\nAGENT_CONTEXT_TOKENS=200\nAGENT_ANSWER_TOKENS=300\n")
    settings = service_settings("agent", wiring, overrides(home, dotenv, AGENT_LOG_LEVEL="debug"))
    assert settings["AGENT_LOG_LEVEL"] == Setting("debug", "environment")
    assert settings["AGENT_CONTEXT_TOKENS"] == Setting("100", "home")
    assert settings["AGENT_ANSWER_TOKENS"] == Setting("300", ".env")
    assert settings["AGENT_RETRIEVER_URL"].source == "groundwork"


def test_a_process_gets_no_other_services_settings_and_no_client_key(home: Home, wiring: Wiring) -> None:
    theirs = overrides(home, GATEWAY_DATABASE_URL="secret", GROUNDWORK_API_KEY="secret", HTTPS_PROXY="http://proxy")
    environment = process_environment("agent", wiring, theirs)
    assert "secret" not in environment.values()
    assert environment["HTTPS_PROXY"] == "http://proxy"
    assert environment["GROUNDWORK_RUN"] == "run-1"
    assert process_environment("gateway", wiring, theirs)["GATEWAY_DATABASE_URL"] == "secret"


def test_keys_of_the_shell_reach_nobody_and_those_that_the_models_file_names_inference_alone(
    home: Home, wiring: Wiring
) -> None:
    home.create()
    (home.root / "models.yaml").write_text(
        "models:\n- {name: far, kind: chat, engine: openai, source: {base_url: x, api_key_env: OPENAI_API_KEY}}\n"
    )
    shell = {"OPENAI_API_KEY": "one", "GITHUB_TOKEN": "two", "DB_PASSWORD": "three", "PATH": "/bin", "LC_ALL": "C"}
    theirs = overrides(home, AWS_SECRET_ACCESS_KEY="four", HF_TOKEN="five", https_proxy="http://proxy", **shell)
    programs = ("gateway", "ingest", "worker", "retriever", "inference", "agent", "lab")
    got = {program: process_environment(program, wiring, theirs) for program in programs}
    for name, holders in {
        "OPENAI_API_KEY": ["inference"],
        "HF_TOKEN": ["inference"],
        "AWS_SECRET_ACCESS_KEY": ["ingest", "worker"],
        "GITHUB_TOKEN": [],
        "DB_PASSWORD": [],
        "PATH": list(programs),
        "LC_ALL": list(programs),
        "https_proxy": list(programs),
    }.items():
        assert [program for program in programs if name in got[program]] == holders, name


def test_the_worker_is_configured_like_ingest(home: Home, wiring: Wiring) -> None:
    theirs = overrides(home, INGEST_LEASE_SECONDS="5")
    worker, api = (process_environment(name, wiring, theirs) for name in ("worker", "ingest"))
    assert {name: text for name, text in worker.items() if name.startswith("INGEST_")} == {
        name: text for name, text in api.items() if name.startswith("INGEST_")
    }


def test_keys_that_models_may_name_later_go_to_inference_alone(home: Home, wiring: Wiring) -> None:
    given = overrides(home, OPENAI_API_KEY="k", MY_KEY="m", OTHER="o")
    assert process_environment("inference", wiring, given)["OPENAI_API_KEY"] == "k"
    assert "OPENAI_API_KEY" not in process_environment("gateway", wiring, given)
    named = overrides(home, OPENAI_API_KEY="k", MY_KEY="m", INFERENCE_ADDED_KEYS="MY_KEY=127.0.0.1")
    environment = process_environment("inference", wiring, named)
    assert environment["MY_KEY"] == "m"
    assert "OPENAI_API_KEY" not in environment
