"""Tokenizers for tests, made on the spot."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors


def word_pieces() -> Tokenizer:
    """A small tokenizer of BERT's kind: known short words, else pieces of one letter, two special tokens."""
    letters = [chr(code) for code in range(33, 127)]
    words = ["the", "and", "price", "days", "return", "within", "word"]
    names = ["[UNK]", "[CLS]", "[SEP]", *letters, *words, *(f"##{letter}" for letter in letters)]
    vocabulary = {name: number for number, name in enumerate(dict.fromkeys(names))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    )
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.enable_truncation(128)
    tokenizer.enable_padding(length=128)
    return tokenizer
