"""Who decides that documents hold no answer."""

from __future__ import annotations

from typing import Literal

Abstain = Literal["model", "reader", "never"]
"""`model`: the model that words the answer, which is always asked. `reader`: rules and the reading model, before the
model is asked. `never`: nobody; what the model says is the answer."""
AbstainOrDefault = Literal[Abstain, "default"]
"""In a change, `default` takes a setting back."""
