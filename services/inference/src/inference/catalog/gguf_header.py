"""What a GGUF file says of itself before its tensors, read without its weights.

The format is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from inference.errors import FileInvalid, FileTruncated

MAGIC = b"GGUF"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
CONTROL = 3
"""llama.cpp's LLAMA_TOKEN_TYPE_CONTROL."""
CACHE_BYTES = 2
"""Of a number in llama.cpp's cache of keys and values, which has 16 bits."""
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M",
    13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS",
    21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip
"""llama.cpp's LLAMA_FTYPE by its number: how most of a file's tensors are quantized."""
ALIGNMENT, MOST_DIMENSIONS = 32, 4
LONGEST = 2**28
"""A string or list beyond this is none: the file is damaged."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """The metadata of a file: `fields` by their names."""

    fields: dict[str, Any]

    @property
    def architecture(self) -> str:
        """What kind of model it is, in llama.cpp's words."""
        return str(self.fields.get("general.architecture", ""))

    @property
    def quantization(self) -> str | None:
        """How most of its weights are quantized, as files are named; None where it does not say."""
        kind = self.fields.get("general.file_type")
        return FILE_TYPES.get(kind) if isinstance(kind, int) else None

    def control_tokens(self) -> tuple[str, ...]:
        """The tokens of the chat template, longest first: text that spells one must not become it."""
        tokens, kinds = self.fields.get("tokenizer.ggml.tokens"), self.fields.get("tokenizer.ggml.token_type")
        if not isinstance(tokens, list) or not isinstance(kinds, list):
            return ()
        control = {token for token, kind in zip(tokens, kinds, strict=False) if kind == CONTROL and len(token) > 1}
        return tuple(sorted(control, key=len, reverse=True))

    def cache_bytes(self, tokens: int) -> int:
        """Memory of the keys and values of so many tokens, at most: some models keep fewer of them."""
        layers, width = self._number("block_count"), self._number("embedding_length")
        heads = self._number("attention.head_count") or 1
        kept = self._number("attention.head_count_kv") or heads
        head = width // heads
        keys = self._number("attention.key_length") or head
        values = self._number("attention.value_length") or head
        return tokens * layers * kept * (keys + values) * CACHE_BYTES

    def _number(self, name: str) -> int:
        """A number of the architecture; the largest where each layer has its own. 0 where it is not said."""
        value = self.fields.get(f"{self.architecture}.{name}", 0)
        numbers = value if isinstance(value, list) else [value]
        return max((int(number) for number in numbers if isinstance(number, int | float)), default=0)


def read_header(file: Path) -> GgufHeader:
    """Raises `FileInvalid` for what is no GGUF, `FileTruncated` for one that ends before its metadata do."""
    with file.open("rb") as content:
        return _begin(content, file.name)[0]


def read_tensors(file: Path) -> tuple[GgufHeader, dict[str, NDArray[np.float32]]]:
    """All of a file whose numbers are float32, as an adapter's are: (outputs, inputs) by name. Raises as `read_header`,
    and `FileInvalid` for other numbers."""
    with file.open("rb") as content:
        header, count = _begin(content, file.name)
        try:
            places = [_place(content) for _ in range(count)]
        except (EOFError, UnicodeDecodeError, struct.error):
            raise FileTruncated(f"{file.name} ends in the middle of its list of tensors. Make it again") from None
        begin = -(-content.tell() // ALIGNMENT) * ALIGNMENT
        if int(header.fields.get("general.alignment", ALIGNMENT)) != ALIGNMENT or any(one.kind for one in places):
            raise FileInvalid(f"{file.name} has other numbers than float32. Make it again")
        found = {}
        for one in places:
            content.seek(begin + one.offset)
            numbers = np.frombuffer(content.read(4 * math.prod(one.shape)), dtype="<f4")
            if numbers.size != math.prod(one.shape):
                raise FileTruncated(f"{file.name} ends in the middle of {one.name}. Make it again")
            found[one.name] = numbers.reshape(one.shape)
    return header, found


def _begin(content: BinaryIO, name: str) -> tuple[GgufHeader, int]:
    """What comes before the list of tensors, and how many there are."""
    if content.read(4) != MAGIC:
        raise FileInvalid(f"{name} is no GGUF file. Name another one (`source`), or download it again")
    try:
        version, tensors, count = struct.unpack("<IQQ", _take(content, 20))
        if version not in (2, 3):
            raise FileInvalid(f"{name} is GGUF of version {version}; 2 and 3 are read. Convert it again")
        fields = {_string(content): _value(content, _number(content, "I")) for _ in range(count)}
    except (EOFError, UnicodeDecodeError, struct.error):
        raise FileTruncated(f"{name} is damaged or ends in the middle of its metadata. Download it again") from None
    return GgufHeader(fields), int(tensors)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor is."""

    name: str
    shape: tuple[int, ...]
    kind: int
    """0 is float32."""
    offset: int
    """After all metadata."""


def _place(content: BinaryIO) -> _Place:
    name, dimensions = _string(content), _number(content, "I")
    if dimensions > MOST_DIMENSIONS:
        raise EOFError
    shape = tuple(_number(content, "Q") for _ in range(dimensions))[::-1]
    return _Place(name, shape, _number(content, "I"), _number(content, "Q"))


def _value(content: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(content)
    if kind == _ARRAY:
        inner, length = _number(content, "I"), _number(content, "Q")
        if length > LONGEST:
            raise EOFError
        if inner in _SCALARS:
            form = f"<{length}{_SCALARS[inner]}"
            return list(struct.unpack(form, _take(content, struct.calcsize(form))))
        return [_value(content, inner) for _ in range(length)]
    if kind not in _SCALARS:
        raise EOFError
    return _number(content, _SCALARS[kind])


def _number(content: BinaryIO, form: str) -> Any:
    return struct.unpack(f"<{form}", _take(content, struct.calcsize(f"<{form}")))[0]


def _string(content: BinaryIO) -> str:
    return _take(content, _number(content, "Q")).decode("utf-8", "replace")


def _take(content: BinaryIO, length: int) -> bytes:
    if length > LONGEST:
        raise EOFError
    taken = content.read(length)
    if len(taken) < length:
        raise EOFError
    return taken
