# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "openapi-python-client==0.29.1",
#   "python-dateutil",
# ]
# ///
"""The client that openapi-python-client makes of our document: every call without a warning; ingest, and ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

SECONDS = 120.0
url, key = os.environ["GATEWAY_URL"], os.environ["OPENAI_API_KEY"]
folder = Path(tempfile.mkdtemp())
command = [str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--url", f"{url}/openapi.json"]
made = subprocess.run([*command, "--output-path", str(folder / "made")], capture_output=True, text=True, check=False)
said = made.stdout + made.stderr
assert made.returncode == 0, said
assert "warning" not in said.lower(), said

with urllib.request.urlopen(f"{url}/openapi.json") as answer:
    paths = json.load(answer)["paths"]
calls = {about["operationId"] for methods in paths.values() for about in methods.values()}
files = (folder / "made" / "groundwork_client" / "api").glob("*/*.py")
assert {file.stem for file in files} - {"__init__"} == calls

sys.path.insert(0, str(folder / "made"))
from groundwork_client import AuthenticatedClient  # noqa: E402
from groundwork_client.api.collections import create_collection  # noqa: E402
from groundwork_client.api.documents import create_document  # noqa: E402
from groundwork_client.api.jobs import get_job  # noqa: E402
from groundwork_client.api.models import create_chat_completion  # noqa: E402
from groundwork_client.models import ChatRequest, CollectionCreate, DocumentCreate, Message, MessageRole  # noqa: E402

client = AuthenticatedClient(base_url=url, token=key, timeout=SECONDS)
create_collection.sync(client=client, body=CollectionCreate(name="generated"))
text = "Demo kits may be kept for 28 days. Then they go back to the depot in Leeds."
job = create_document.sync(client=client, name="generated", body=DocumentCreate(text=text, title="Demo kits")).job
until = time.monotonic() + SECONDS
while job.status != "ready":
    assert time.monotonic() < until, job
    assert job.status not in ("failed", "cancelled"), job
    time.sleep(0.1)
    job = get_job.sync(client=client, id=job.id)
question = Message(role=MessageRole.USER, content="For how many days may demo kits be kept?")
asked = ChatRequest(model="rag:generated", messages=[question])
message = create_chat_completion.sync(client=client, body=asked).choices[0].message
assert "28 days" in message.content, message
link = message.annotations[0].url_citation.url
assert link.startswith(f"{url}/v1/collections/generated/documents/"), link
