"""The gateway's SQL tables. Money is whole nano-dollars; null money means that no price is known."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

from servicekit.sql.database import UtcTime

metadata = MetaData()

tenants = Table(
    "tenants",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("limits", JSON, nullable=False),
    Column("budgets", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("deleting", Boolean, nullable=False, server_default=false()),
    Column("feedback_labels", JSON(none_as_null=True)),
    Column("records", String(10), nullable=False, server_default="off"),
    Column("records_days", Integer, nullable=False, server_default="30"),
)
"""`feedback_labels` null means the set that we ship."""

keys = Table(
    "keys",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("tenant", String(63), nullable=False, index=True),
    Column("prefix", String(16), nullable=False),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("previous_hash", String(64), unique=True),
    Column("previous_until", UtcTime),
    Column("admin", Boolean, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("models", JSON),
    Column("collections", JSON),
    Column("limits", JSON, nullable=False),
    Column("budgets", JSON, nullable=False),
    Column("guardrails", JSON),
    Column("records", String(10)),
    Column("records_days", Integer),
    Column("abstain", String(10)),
    Column("expires_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("last_used_at", UtcTime),
    Column("revoked_at", UtcTime),
)

"""`previous_hash` is of the secret before the last rotation, which is good until `previous_until`."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("key_hash", String(64), nullable=False, index=True),
    Column("once", Boolean, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
)
"""Browsers that signed in, and with `once` what signs one in. `id` is the hash of the secret in the cookie or the link,
`key_hash` of the key's secret that it stands for."""

usage = Table(
    "usage",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("parent_id", String(64)),
    Column("request_id", String(128), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("route", String(40), nullable=False),
    Column("model", String(200)),
    Column("attempt", Integer, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("embedding_tokens", BigInteger, nullable=False),
    Column("cached_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("cost_nano_usd", BigInteger),
    Column("status", Integer, nullable=False),
    Column("error_type", String(40)),
    Column("cache", String(10), nullable=False),
    Column("streamed", Boolean, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("day", Integer, nullable=False),
    Column("ms", Integer, nullable=False),
    Column("split", String(100)),
    Column("split_version", Integer),
    Column("variant", String(200)),
    Column("unit", String(24)),
    Column("failed", Boolean),
    Column("abstained", Boolean),
    Column("grounded", Boolean),
    Column("answer_id", String(200)),
    Index("usage_by_parent", "parent_id", "tenant"),
    Index("usage_by_key", "key_id", "started_at"),
    Index("usage_by_tenant", "tenant", "started_at"),
    Index("usage_by_time", "started_at"),
    Index(
        "usage_by_split",
        "split",
        "split_version",
        "started_at",
        sqlite_where=text("split IS NOT NULL"),
        postgresql_where=text("split IS NOT NULL"),
    ),
)
"""One row an attempt. `parent_id` is set on the model calls inside a `rag:` answer, and on an attempt that another one
followed (then it names their call). `cached_tokens` are part of the prompt's, `reasoning_tokens` of the completion's;
`day` counts from 1970-01-01; `estimated` says that the engine reported no tokens, for instance because the client left.

`split` to `answer_id` are set on the last attempt of a public call by a route that is split: the route and its version,
which variant it was drawn for, `unit` by whom (a hash), whether the variant failed to answer, what an answer from
documents says of itself, and the id by which it is rated.
"""

routes = Table(
    "routes",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("spec", JSON, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
)
"""Public names over models and answers; `spec` is a `RouteSpec`, that of `version`."""

route_versions = Table(
    "route_versions",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("spec", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("activated_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("ended_by", JSON),
)
"""What a route was at each time. `activated_at` to `ended_at` is when it last answered; `ended_by` is the figure that
ended it, where its guard did."""

reservations = Table(
    "reservations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("parent_id", String(64)),
    Column("request_id", String(128), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("route", String(40), nullable=False),
    Column("model", String(200)),
    Column("attempt", Integer, nullable=False),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("embedding_tokens", BigInteger, nullable=False),
    Column("cost_nano_usd", BigInteger),
    Column("started_at", UtcTime, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Index("reservations_by_expiry", "expires_at"),
    Index("reservations_by_owner", "owner"),
)
"""What each attempt that can cost money may use at most, from before its upstream is called until its usage row, which
has the same id, is committed. A replica that lives moves `expires_at` on; what expires was a dead one's."""

records = Table(
    "records",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("call_id", String(64), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("mode", String(10), nullable=False),
    Column("user", String(512)),
    Column("user_hash", String(64)),
    Column("model", String(200), nullable=False),
    Column("answered_by", String(200)),
    Column("model_digest", String(200)),
    Column("adapter", String(200)),
    Column("variant", String(200)),
    Column("prompt", String(200)),
    Column("collections", Text, nullable=False),
    Column("question", Text),
    Column("answer", Text),
    Column("abstained", Boolean, nullable=False),
    Column("error_type", String(40)),
    Column("status", Integer, nullable=False),
    Column("cache", String(10), nullable=False),
    Column("streamed", Boolean, nullable=False),
    Column("ms", Integer, nullable=False),
    Column("content", Text, nullable=False),
    Index("records_by_tenant", "tenant", "at", "id"),
    Index("records_by_user", "tenant", "user_hash"),
    Index("records_by_expiry", "expires_at"),
)
"""Answers as they were given, where a key or a tenant wants that. `id` is the answer's, `user_hash` finds a user whose
name is masked, `collections` has each name between commas, `content` is the JSON of what nobody filters by."""

record_documents = Table(
    "record_documents",
    metadata,
    Column("record_id", String(64), ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    Column("collection", String(63), primary_key=True),
    Column("document_id", String(200), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Index("record_documents_by_document", "tenant", "collection", "document_id"),
)
"""Documents that records hold passages of."""

record_measures = Table(
    "record_measures",
    metadata,
    Column("record_id", String(64), ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("call_id", String(64), nullable=False),
    Column("person", String(64), nullable=False),
    Column("sample", Integer, nullable=False),
    Column("model", String(200), nullable=False),
    Column("answered_by", String(200)),
    Column("collections", Text, nullable=False),
    Column("grounded", Boolean),
    Column("abstained", Boolean),
    Column("failed", Boolean, nullable=False),
    Column("fresh", Boolean, nullable=False),
    Column("ms", Integer, nullable=False),
    Index("record_measures_by_tenant", "tenant", "at"),
)
"""What is measured of a record without its words, in narrow rows: monitors read weeks of them again and again. `sample`
is drawn by the record's id, from 0 to 9,999; `person` is the user's hash, or the record's id where none was named;
`fresh`: not from the cache."""

monitors = Table(
    "monitors",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("key_id", String(64), nullable=False),
    Column("own_calls", Boolean, nullable=False),
    Column("spec", JSON, nullable=False),
    Column("falls", JSON, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
"""`own_calls`: made by a key that is limited to some models or collections, of whose calls alone it is. `falls` are
those that stand; `revision` counts their changes, so that of all replicas one makes each."""

monitor_verdicts = Table(
    "monitor_verdicts",
    metadata,
    Column("record_id", String(64), ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    Column("monitor", String(63), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("state", String(10), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("lease_until", UtcTime, nullable=False),
    Column("reason", Text),
    Column("error", String(80)),
    Index("monitor_verdicts_by_monitor", "tenant", "monitor", "at"),
)
"""What a monitor's judge said of an answer. `at` is the answer's. `state` is `open` while one asks until `lease_until`,
or waits so long for `error` to pass; then `right`, `wrong`, `failed` (by `error`) or `skipped`, where its words are not
there to be judged. `tries` counts those who asked and did not come back."""

deleted_documents = Table(
    "deleted_documents",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("collection", String(63), primary_key=True),
    Column("document_id", String(200), primary_key=True),
    Column("deleted_at", UtcTime, nullable=False),
    Column("with_records", Boolean, nullable=False),
)
"""Documents, or with an empty id whole collections, that were deleted and that records quote or may come to quote."""

lab_notices = Table(
    "lab_notices",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("collection", String(63), primary_key=True),
    Column("document_id", String(200), primary_key=True),
    Column("deleted_at", UtcTime, nullable=False),
    Column("tries", Integer, nullable=False, server_default="0"),
    Index("lab_notices_by_turn", "tries", "deleted_at"),
)
"""The same, of which the lab does not know yet; `tries`: how often it was there and did not take the notice."""

audit = Table(
    "audit",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("actor_key_id", String(64), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("request_id", String(128)),
    Column("detail", JSON, nullable=False),
    Index("audit_by_time", "at"),
)

installation = Table(
    "installation",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("value", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)
"""Facts of the installation itself: `era`, made anew by a restore, so that nothing that was cached before it is given
out; and `signer:<id>`, the public key of an installation that a backup came from, whose grants are still good.
"""

feedback = Table(
    "feedback",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("person", String(200), nullable=False),
    Column("answer_id", String(200), nullable=False),
    Column("part", String(32), nullable=False),
    Column("rating", String(4)),
    Column("verdict", Integer),
    Column("labels", JSON, nullable=False),
    Column("comment", Text),
    Column("correction", Text),
    Column("preferred_over", String(200)),
    Column("tied_with", String(200)),
    Column("blind", Boolean, nullable=False, server_default=false()),
    Column("other_model", String(200)),
    Column("other_version", String(200)),
    Column("model", String(200)),
    Column("version", String(200)),
    Column("prompt", String(200)),
    Column("collections", Text, nullable=False),
    Column("citation", JSON(none_as_null=True)),
    Column("question", String(64)),
    Column("withheld", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("feedback_by_part", "tenant", "answer_id", "person", "part", unique=True),
    Index("feedback_by_tenant", "tenant", "id"),
    Index("feedback_by_question", "tenant", "question", "answer_id", "id"),
    Index("feedback_blind", "tenant", "id", sqlite_where=text("blind = 1"), postgresql_where=text("blind")),
)
"""One row a person, answer and part (`answer`, `sentence:2`, `citation:0`). `verdict` is 1, 0 or -1. `collections` are
`,a,b,`. `question` is the digest of the question's words, empty where the answer is not on record, null where it may be
yet; `other_model`, what the answer in `preferred_over` or `tied_with` was asked of, in the same way. `version` and
`other_version` are null of what was said before they were kept. `withheld`: a document that the answer quoted was
deleted; it is in no export."""

feedback_sources = Table(
    "feedback_sources",
    metadata,
    Column("feedback_id", String(64), primary_key=True),
    Column("collection", String(63), primary_key=True),
    Column("document_id", String(200), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Index("feedback_sources_by_document", "tenant", "collection", "document_id"),
)
"""The documents that an answer with feedback quoted: with one of them goes what was said of the answer."""

reviews = Table(
    "reviews",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("answer_id", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("reviewer", String(200)),
    Column("lease_until", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Index("reviews_by_number", "tenant", "answer_id", "number", unique=True),
    Index("reviews_by_reviewer", "tenant", "answer_id", "reviewer", unique=True),
    Index("reviews_by_state", "tenant", "state", "id"),
)
"""One judgement that is wanted of an answer; `number` tells those of one answer apart, and no person has two of them.
`state` is open, done or skipped; who has an open one has it until `lease_until`."""
