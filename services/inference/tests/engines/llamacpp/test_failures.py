from __future__ import annotations

import pytest

from inference.engines.llamacpp.failures import load_failure
from inference.errors import ArchitectureUnknown, CannotLoad, EngineMissing, FileInvalid, FileTruncated, ModelTooLarge

END = [
    "llama_model_load_from_file_impl: failed to load model",
    "cmn  common_init_: failed to load model '/srv/secret/m.gguf'",
    "srv          init: exiting due to model loading error",
    "Failed to init server, please check the input params.",
]


@pytest.mark.parametrize(
    ("line", "kind", "says"),
    [
        ("gguf_init_from_reader: invalid magic characters: 'no g', expected 'GGUF'", FileInvalid, "is no GGUF file"),
        (
            "error loading model: tensor 'blk.16.ffn_down.weight' data is not within the file bounds",
            FileTruncated,
            "ends before its weights do",
        ),
        ("read: string length 20 exceeds remaining file size 18 bytes", FileTruncated, "Download it again"),
        ("error loading model: unknown model architecture: 'qqqqq'", ArchitectureUnknown, "architecture 'qqqqq'"),
        (
            "llama_adapter_lora_init: failed to apply lora adapter: tensor '/srv/secret/x' has incorrect shape",
            FileInvalid,
            "Correct `llamacpp.adapters`",
        ),
        ("ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 9", ModelTooLarge, "memory"),
        (
            "ImportError: libgomp.so.1: cannot open shared object file: No such file or directory",
            EngineMissing,
            "apt-get install libgomp1",
        ),
        ("error loading model: '/srv/secret/m.gguf' has a tensor of another shape", CannotLoad, "has a tensor of"),
    ],
)
def test_llama_cpps_words_become_a_reason_without_paths(line: str, kind: type, says: str) -> None:
    failure = load_failure("m.gguf", [line, *END], 1)
    assert type(failure) is kind
    assert says in str(failure)
    assert "/srv" not in str(failure)


def test_a_process_that_was_killed_while_it_loaded_lacked_memory() -> None:
    assert type(load_failure("m.gguf", [], -9)) is ModelTooLarge


def test_a_process_that_says_nothing_is_told_by_its_code() -> None:
    assert "ended with -11" in str(load_failure("m.gguf", END, -11))


def test_each_reason_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in (ArchitectureUnknown, FileInvalid, FileTruncated, ModelTooLarge, CannotLoad)]
    assert len(set(codes)) == len(codes)
