from __future__ import annotations

from agent.peers.notifiers import LocalNotifier


async def test_a_subscription_is_told_of_its_run_and_of_no_other() -> None:
    notifier = LocalNotifier()
    with notifier.subscribe("run_1") as one, notifier.subscribe(None) as every:
        notifier.notify("run_2")
        assert await every.wait(1)
        assert not await one.wait(0)
        notifier.notify("run_1")
        assert await one.wait(0)
        assert not await one.wait(0)  # told once
