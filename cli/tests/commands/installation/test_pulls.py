from __future__ import annotations

import httpx2
from cli.tests.client.test_pulls import pull
from cli.tests.server import Recorder, Serve
from cli.tests.terminal import output, run, sentence

READY = {"id": "m", "kind": "chat", "state": "ready", "context_length": 4096}


def test_a_model_is_fetched_and_shown(serve: Serve) -> None:
    server = Recorder(
        httpx2.Response(202, json=pull("ready", bytes_done=5, bytes_total=5)), httpx2.Response(200, json=READY)
    )
    serve(server)
    done = run("model", "pull", "m", "--from", "hf:org/m/a.gguf", "--context", "512", "--default")
    assert (done.exit_code, done.stdout) == (0, "'m' is ready. It reads 4096 tokens.\n")
    body = server.body(0)
    assert (body["model"], body["context_length"], body["default"]) == ("m", 512, True)


def test_why_it_failed_is_the_last_word(serve: Serve) -> None:
    failed = pull("failed", error={"code": "pull_too_large", "message": "It takes 60 GB."})
    serve(Recorder(httpx2.Response(202, json=failed)))
    assert sentence("model", "pull", "m", "--from", "ollama:m") == "It takes 60 GB."


def test_pulls_are_listed_and_ended(serve: Serve) -> None:
    listed = {"data": [pull(bytes_done=5_000, bytes_total=9_000), pull("queued", waiting_on="hub")]}
    serve(Recorder(httpx2.Response(200, json=listed), httpx2.Response(202, json=pull("cancelled"))))
    shown = output("model", "pulls")
    assert "5,000" in shown
    assert "waits for hub" in shown
    assert "ends" in output("model", "pulls", "--cancel", "pull_1")


def test_ctrl_c_ends_the_watching_and_says_how_to_look_again(serve: Serve) -> None:
    def interrupted(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            raise KeyboardInterrupt
        return httpx2.Response(202, json=pull())

    serve(interrupted)
    done = run("model", "pull", "m", "--from", "ollama:m")
    assert done.exit_code == 130
    assert "groundwork model pulls --cancel pull_1" in " ".join(done.stderr.split())
