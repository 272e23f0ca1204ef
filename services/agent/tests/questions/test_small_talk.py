from __future__ import annotations

import pytest

from agent.questions.kind import Overview
from agent.questions.small_talk import read_small_talk, without_greeting


@pytest.mark.parametrize(
    ("message", "manner", "language"),
    [
        ("hi", "greeting", "en"),
        ("Hello there! 👋", "greeting", "en"),
        ("Good morning, how are you today?", "greeting", "en"),
        ("Thanks a lot!", "thanks", "en"),
        ("ok great, thank you so much for your help", "thanks", "en"),
        ("Hello, who are you and what can you do?", "help", "en"),
        ("HELP", "help", "en"),
        ("what is this about", "help", "en"),
        ("thx, that helped", "thanks", "en"),
        ("alles klar, danke", "thanks", "de"),
        ("ok bye", "farewell", "en"),
        ("Thanks, bye!", "farewell", "en"),
        ("Tschüss", "farewell", "de"),
        ("What’s in this collection?", "help", "en"),
        ("Can you help me?", "help", "en"),
        ("I have a question", "help", "en"),
        ("Hello, please see my other message.", "help", "en"),
        ("see my email below", "help", "en"),
        ("Hallo, siehe bitte meine andere Nachricht", "help", "de"),
        ("Hallo", "greeting", "de"),
        ("Guten Morgen zusammen!", "greeting", "de"),
        ("Vielen Dank!", "thanks", "de"),
        ("Hallo, was kannst du?", "help", "de"),
        ("Wer bist du?", "help", "de"),
        ("Bonjour", "greeting", "en"),
        ("muchas gracias", "thanks", "en"),
        ("你好", "greeting", "zh"),
        ("你好！请问你能做什么？", "help", "zh"),
        ("好的，谢谢您！", "thanks", "zh"),
        ("مرحبًا", "greeting", "ar"),
        ("السلام عليكم، من أنت؟", "help", "ar"),
        ("شكرًا جزيلًا لك", "thanks", "ar"),
    ],
)
def test_small_talk_is_told_by_its_words(message: str, manner: str, language: str) -> None:
    assert read_small_talk(message) == Overview(manner, language)  # type: ignore[arg-type]  # read from the table


@pytest.mark.parametrize(
    "message",
    [
        "hi, how many days of leave do I get?",
        "Hello, is there a gym?",
        "thanks, and how much is the deposit?",
        "help with my laptop",
        "can you help me with my laptop",
        "I have a question about leave",
        "how do I check my email?",
        "where can I see messages?",
        "please see my other message about the refund",
        "is the attached email from us",
        "which email is below",
        "see the attached email?",
        "attached",
        "above",
        "below",
        "my email",
        "What can you do if your laptop is stolen?",
        "Hallo, wie viele Urlaubstage habe ich?",
        "你好，年假有多少天？",
        "谢谢卡怎么买",
        "شكرا على ماذا",
        "مرحبا، كم يوم إجازة لدي؟",
        "Who are you allowed to invite?",
        "please",
        "and",
        "hi " * 80,
    ],
)
def test_a_message_that_asks_something_besides_is_a_question(message: str) -> None:
    assert read_small_talk(message) is None


@pytest.mark.parametrize(
    "message", ["How does this work?", "see above", "below", "check my email", "please see my other message"]
)
def test_what_follows_other_messages_may_point_to_them(message: str) -> None:
    assert read_small_talk(message, follows=True) is None


def test_a_first_message_points_to_what_is_not_here() -> None:
    for message in ("How does this work?", "see above", "check my email"):
        assert read_small_talk(message) == Overview("help", "en")
    assert read_small_talk("thanks", follows=True) == Overview("thanks", "en")


@pytest.mark.parametrize(
    ("message", "rest"),
    [
        ("hi, how many days of leave do I get?", "how many days of leave do I get?"),
        ("Hey team! Good morning, can I park here?", "can I park here?"),
        ("Hallo zusammen, wie viele Tage?", "wie viele Tage?"),
        ("hello", "hello"),
        ("hi-fi settings?", "hi-fi settings?"),
        ("good morning shift hours?", "good morning shift hours?"),
        ("high rates?", "high rates?"),
        ("你好，请问图书馆几点开门？", "图书馆几点开门？"),
        ("مرحبًا، متى تفتح الصيدلية؟", "متى تفتح الصيدلية؟"),
        ("你好吗这首歌是谁唱的", "你好吗这首歌是谁唱的"),
    ],
)
def test_a_greeting_before_a_question_is_no_part_of_it(message: str, rest: str) -> None:
    assert without_greeting(message) == rest
