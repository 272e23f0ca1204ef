from __future__ import annotations

from gateway.usage.bounded_labels import OTHER, BoundedLabels


def test_the_first_tenants_have_labels_which_they_keep_and_all_others_share_one() -> None:
    labels = BoundedLabels(2)
    assert [labels.of(name) for name in ("a", "b", "c", "a", "d")] == ["a", "b", OTHER, "a", OTHER]


def test_where_no_tenant_may_be_named_none_is() -> None:
    labels = BoundedLabels(0)
    assert {labels.of(name) for name in ("a", "b", "a")} == {OTHER}
