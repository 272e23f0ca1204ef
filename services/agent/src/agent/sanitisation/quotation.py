"""Makes text of others fit for a prompt: it can't end its fence, speak for another role, or hold what nobody sees.

Characters are exchanged one by one or parted by a space, in the prompt alone: citations quote the document.
"""

from __future__ import annotations

import re

from agent.sanitisation.invisible import visible

_ANGLED = re.compile(
    r"<(?=\s*/?\s*source\b|[|｜]|/?(?:s|bos|eos|pad|unk|mask|sep|cls|image|think|tools?|tool_calls?|tool_responses?"
    r"|(?:start|end|begin)_of_\w+|fim_\w+|im_\w+|unused\d+|extra_id_\d+|0x[0-9a-f]{2})>|</?SYS>>)",
    re.IGNORECASE,
)
_BRACKETED = re.compile(
    r"\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG|THINK|MASK|CLS|SEP|PAD|UNK)\])"
)
"""The control tokens of chat templates: ChatML, Llama, Mistral, Gemma, DeepSeek, Qwen, Phi, BERT."""


def quotable(text: str) -> str:
    """The text with its control tokens, fences of ours and hidden characters taken apart or out."""
    return _BRACKETED.sub("[ ", _ANGLED.sub("‹", visible(text)))
