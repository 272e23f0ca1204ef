from __future__ import annotations

import pytest

from retriever.text.main_language import SAMPLE_CHARS, main_language

ENGLISH = "The pump must be off before the cover is opened. Wait until the gauge shows zero, then loosen the screws. "
GERMAN = "Der Vertrag verlängert sich um ein Jahr, wenn er nicht drei Monate vor dem Ablauf gekündigt wird. "
TEXTS = {
    "en": ENGLISH,
    "de": GERMAN,
    "fr": "La garantie couvre les pièces et la main-d'œuvre pendant deux ans à compter de la date de l'achat.",
    "es": "El plazo de devolución es de treinta días, y el comprador paga los gastos de envío en todos los casos.",
    "id": "Pompa harus dimatikan sebelum penutup dibuka, dan jarum pada pengukur itu harus berada di angka nol.",
    "zh": "如果压力表没有归零，请不要打开泵盖。每天检查一次过滤器。",
    "ja": "ポンプのカバーを開ける前に、必ず電源を切ってください。圧力計を確認します。",
    "ko": "펌프 덮개를 열기 전에 전원을 끄고 압력이 영이 될 때까지 기다리십시오.",
    "th": "ต้องปิดปั๊มก่อนเปิดฝา",
    "ar": "يجب إيقاف المضخة قبل فتح الغطاء، ثم انتظر حتى يصل المقياس إلى الصفر.",
    "ru": "Насос должен быть выключен до открытия крышки, и стрелка не должна показывать давление.",
    "uk": "Насос має бути вимкнений до відкриття кришки, і стрілка не повинна показувати тиск у системі.",
    "el": "Η αντλία πρέπει να είναι κλειστή πριν ανοίξει το κάλυμμα.",
}


@pytest.mark.parametrize("language", TEXTS)
def test_a_text_is_in_the_language_that_it_is_written_in(language: str) -> None:
    assert main_language(TEXTS[language]) == language


@pytest.mark.parametrize(
    "text",
    [
        pytest.param((ENGLISH + GERMAN) * 6, id="sentences in turn"),
        pytest.param(ENGLISH * 20 + GERMAN * 10, id="one after the other"),
        pytest.param(ENGLISH * 3 + TEXTS["zh"] * 3, id="two scripts"),
        pytest.param(
            "Pampu lazima izimwe kabla ya kufungua kifuniko, kisha subiri mpaka kipimo kionyeshe. " * 4, id="unknown"
        ),
    ],
)
def test_a_text_in_several_languages_or_an_unknown_one_is_in_none(text: str) -> None:
    assert main_language(text) is None


@pytest.mark.parametrize("text", ["", "12.50 €", "Falcon 9", "M8x20 DIN 933 ISO 4017", ENGLISH + "Müller GmbH, Köln"])
def test_what_shows_no_language_and_foreign_names_in_english_are_taken_for_english(text: str) -> None:
    assert main_language(text) == "en"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("გამარჯობა", id="a word of Georgian"),
        pytest.param(
            "ტუმბო უნდა გამოირთოს სახურავის გახსნამდე და ისარი უნდა იყოს ნულზე ყოველდღე შეამოწმეთ ფილტრი და ზეთი",
            id="a sentence of it",
        ),
        pytest.param(
            "ტუმბო უნდა გამოირთოს სახურავის გახსნამდე და the cover is closed", id="beside fewer English words"
        ),
        pytest.param("ঢাকনা খোলার আগে পাম্প বন্ধ করতে হবে", id="Bengali"),
        pytest.param("ከመክፈትዎ በፊት ፓምፑ መጥፋት አለበት", id="Amharic"),
        pytest.param("ꆈꌠꁱꂷ", id="Yi, which sets no blanks"),
    ],
)
def test_a_text_in_a_script_that_is_not_known_is_never_english_however_short(text: str) -> None:
    assert main_language(text) is None


@pytest.mark.parametrize(
    "text", ["Ｆａｌｃｏｎ ９", "ﬁnal ﬂow", "Ꝯ", "µm", "The word გამარჯობა is Georgian for a greeting."]
)
def test_latin_letters_of_other_blocks_and_a_foreign_word_in_english_are_no_foreign_text(text: str) -> None:
    assert main_language(text) == "en"


def test_a_text_in_armenian_is_armenian_however_short() -> None:
    assert main_language("Բարև ձեզ") == "hy"


def test_the_end_of_a_long_text_counts_as_its_beginning_does() -> None:
    half = SAMPLE_CHARS // len(ENGLISH) + 1
    assert main_language(ENGLISH * half) == "en"
    assert main_language(ENGLISH * half + GERMAN * half) is None


def test_code_with_english_words_is_english() -> None:
    code = "def area(radius: float) -> float:\n    # the area of a circle that is not empty\n    return 3 * radius\n"
    assert main_language(code * 5) == "en"
