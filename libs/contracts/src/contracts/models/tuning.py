"""What the lab and inference say to each other of models that are tuned."""

from __future__ import annotations

DIGEST_HEADER = "Groundwork-Digest"
"""`sha256:…` of the file that an answer is."""
MODEL_HEADER = "Groundwork-Model"
"""The name of the model that it is of, where `default` was asked for."""
