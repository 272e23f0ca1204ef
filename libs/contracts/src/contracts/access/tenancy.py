"""Deleting a tenant with everything that it owns."""

from __future__ import annotations

from contracts.core.base import Reply, Request
from contracts.documents.jobs import Job


class TenantDeletion(Reply):
    """The 202 answer to `DELETE /v1/tenants/{name}`: the job, which belongs to the tenant of whoever asked."""

    job: Job


class TenantKeys(Request):
    """The ids of a tenant's keys, revoked ones too: some rows are known by them alone."""

    key_ids: list[str]
