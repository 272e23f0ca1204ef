from __future__ import annotations

from servicekit.jobs.notifier import LocalNotifier


async def test_subscribers_of_a_job_are_told_of_it_and_workers_only_of_what_is_due() -> None:
    notifier = LocalNotifier()
    with notifier.subscribe("job_1") as own, notifier.subscribe("job_2") as other, notifier.subscribe(None) as worker:
        notifier.notify("job_1")
        assert [await each.wait(0) for each in (own, other, worker)] == [True, False, False]
        notifier.notify("job_1", due=True)
        assert [await each.wait(0) for each in (own, other, worker)] == [True, False, True]
        assert await own.wait(0) is False, "a notification is heard once"


async def test_a_notification_between_two_waits_is_not_lost() -> None:
    notifier = LocalNotifier()
    with notifier.subscribe("job_1") as subscription:
        notifier.notify("job_1")
        notifier.notify("job_1")
        assert await subscription.wait(0)
    notifier.notify("job_1")
    assert await subscription.wait(0) is False, "it is subscribed no longer"
