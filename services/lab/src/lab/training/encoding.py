"""Examples as tokens: what a served model would read, and the answer that it is to give, with the end of its turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from lab.training.impossible import Impossible


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example: `ids` of prompt and answer, of which the first `prompt` are not learnt."""

    id: str
    ids: tuple[int, ...]
    prompt: int

    @property
    def learnt(self) -> int:
        """Tokens of the answer."""
        return len(self.ids) - self.prompt

    @property
    def width(self) -> int:
        """Tokens of its row in a pass."""
        return len(self.ids)

    @property
    def rows(self) -> Sequence[Encoded]:
        """What a pass reads of it."""
        return (self,)


@dataclass(frozen=True, slots=True)
class EncodedPair:
    """Two answers to one prompt, of which people prefer the first."""

    id: str
    """Of its question, which may have several."""
    number: int
    preferred: Encoded
    rejected: Encoded

    @property
    def width(self) -> int:
        """Tokens of each of its rows in a pass."""
        return max(self.preferred.width, self.rejected.width)

    @property
    def rows(self) -> Sequence[Encoded]:
        """What a pass reads of it."""
        return (self.preferred, self.rejected)


Example = Encoded | EncodedPair


def tokens_of(example: Example) -> int:
    """That are read of it."""
    return sum(row.width for row in example.rows)


class Chats:
    """A model's own tokens and template, which its file has: the same that it is served with."""

    def __init__(
        self, tokenizer_file: str, template: str, end: str, begin: str | None, adds_begin: bool | None
    ) -> None:
        """`end` is the text of the token that ends a turn; `begin`, of that which a text begins with."""
        self._tokens: Any = PreTrainedTokenizerFast(
            tokenizer_file=tokenizer_file, eos_token=end, bos_token=begin, chat_template=template
        )
        self._end: int = self._tokens.convert_tokens_to_ids(end)
        self._begin = [self._tokens.convert_tokens_to_ids(begin)] if adds_begin and begin else []

    def prompt(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """What a served model reads before it answers."""
        text = self._tokens.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
        return self._ids(text)

    def encode(self, example: Mapping[str, Any]) -> Encoded:
        """An example. Its answer is encoded apart from its prompt, as a served model writes it token by token. Raises
        `Impossible` where the model's template takes no such turns."""
        try:
            prompt = self.prompt(example["messages"])
        except TemplateError as error:
            raise Impossible(
                "training_data_broken",
                f"The chat template of this model refuses the turns of the question '{example['id']}': "
                f"{str(error)[:300]}. Change its turns (some models take no 'system', or only user and assistant in "
                "turn), or choose another model.",
            ) from None
        answer = self._tokens(example["answer"], add_special_tokens=False)["input_ids"]
        return Encoded(example["id"], (*prompt, *answer, self._end), len(prompt))

    def example(self, example: Mapping[str, Any]) -> Example:
        """One as a job has it: with a `rejected` answer it is a pair."""
        if "rejected" not in example:
            return self.encode(example)
        rejected = self.encode({**example, "answer": example["rejected"]})
        return EncodedPair(example["id"], example["number"], self.encode(example), rejected)

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._tokens(text, add_special_tokens=False)["input_ids"]
        return found if found[: len(self._begin)] == self._begin else [*self._begin, *found]
