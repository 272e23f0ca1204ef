from __future__ import annotations

import httpx2
from cli.tests.server import Recorder, Serve
from cli.tests.terminal import output


def test_a_model_that_sleeps_is_listed_as_one_that_works(serve: Serve) -> None:
    asleep = {"id": "m", "kind": "chat", "state": "ready", "asleep": True}
    awake = {"id": "n", "kind": "chat", "state": "ready"}
    answers = [{"data": [asleep, awake]}, asleep, awake]
    serve(Recorder(*(httpx2.Response(200, json=answer) for answer in answers)))
    rows = {row.split()[0]: row.split()[-1] for row in output("model", "list").splitlines()}
    assert (rows["m"], rows["n"]) == ("asleep", "ready")


def test_a_list_says_where_each_model_comes_from(serve: Serve) -> None:
    models = [{"id": "m", "kind": "chat"}, {"id": "n", "kind": "chat", "added": True}]
    models.append({"id": "r", "kind": "chat", "target_kinds": ["chat"]})
    serve(Recorder(*(httpx2.Response(200, json=answer) for answer in [{"data": models}, *models])))
    listed = output("model", "list").splitlines()[1:]
    assert [row.split()[2] for row in listed] == ["models.yaml", "added", "route"]
