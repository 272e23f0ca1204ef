"""A real S3 server for a test, moto's, in a process of its own: it can be killed, and it checks signatures."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from tests.support.ingest.peers import free_port, until

BUCKET = "groundwork-blobs"
UNCHECKED = 4
"""Calls that make the user and the bucket; from then on the server checks who calls."""


@dataclass
class S3Server:
    """One server; it keeps everything in memory."""

    folder: Path
    port: int = 0
    access_key_id: str = ""
    secret_access_key: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty but for one bucket and one user who may do everything."""
        self.port = self.port or free_port()
        environment = {"PATH": os.defpath, "INITIAL_NO_AUTH_ACTION_COUNT": str(UNCHECKED), "HOME": str(self.folder)}
        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.folder / "s3.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.folder)
        until(self._listens, "the S3 server listens")
        self._prepare()

    def kill(self) -> None:
        """End it at once; what it held is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(60)
            self.process = None

    def client(self, service: str = "s3") -> Any:
        """A client of its own for tests."""
        return boto3.session.Session().client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key_id or "nobody",
            aws_secret_access_key=self.secret_access_key or "nobody",
        )

    def names(self) -> list[str]:
        """Of all objects, and of the parts of unfinished uploads."""
        client = self.client()
        objects = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        uploads = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        listed = [each["Key"] for page in objects for each in page.get("Contents", [])]
        return sorted([*listed, *(f"part of {each['Key']}" for each in uploads)])

    def settings(self, prefix: str = "gw", endpoint: str = "") -> dict[str, str]:
        """What makes ingest use it."""
        return {
            "INGEST_BLOBS_URL": f"s3://{BUCKET}/{prefix}",
            "INGEST_S3_ENDPOINT": endpoint or self.url,
            "INGEST_S3_ACCESS_KEY_ID": self.access_key_id,
            "INGEST_S3_SECRET_ACCESS_KEY": self.secret_access_key,
            "INGEST_S3_SECONDS": "60",
        }

    def _prepare(self) -> None:
        iam = self.client("iam")
        iam.create_user(UserName="groundwork")
        key = iam.create_access_key(UserName="groundwork")["AccessKey"]
        may = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        iam.put_user_policy(UserName="groundwork", PolicyName="all", PolicyDocument=json.dumps(may))
        self.access_key_id, self.secret_access_key = key["AccessKeyId"], key["SecretAccessKey"]
        self.client().create_bucket(Bucket=BUCKET)

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "s3.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def running_s3(folder: Path) -> Iterator[S3Server]:
    """A server that is ended however the block, or its own start, ends."""
    server = S3Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
