"""What is said where there is no answer: that there is none, and which documents come closest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.answering.drafting.writer import Writer
from agent.answering.phrases import called
from agent.answering.state import AnswerState
from agent.questions.language import Spoken, language_of
from agent.relevance.evidence import Evidence
from agent.sanitisation.sanitiser import label
from agent.text.words import is_generic
from contracts.models.chat import ClosestDocument

CLOSEST = 3
LIKE = 0.35
"""The cosine from which a passage has something to do with a question none of whose words it has."""
_MARKER = re.compile(r"\[(\d{1,3})\]")


@dataclass(frozen=True, slots=True)
class _Words:
    none: str
    closest: str
    both: str
    comma: str = ", "


_WORDS: Mapping[Spoken, _Words] = {
    "en": _Words(
        "The documents in {where} do not hold an answer to this question.",
        "Closest to it, without answering it: {titles}.",
        " and ",
    ),
    "de": _Words(
        "Die Dokumente in {where} enthalten keine Antwort auf diese Frage.",
        "Am nächsten kommen ihr, ohne sie zu beantworten: {titles}.",
        " und ",
    ),
    "fr": _Words(
        "Les documents de {where} ne contiennent pas de réponse à cette question.",
        "Les plus proches, sans y répondre : {titles}.",
        " et ",
    ),
    "es": _Words(
        "Los documentos de {where} no contienen una respuesta a esta pregunta.",
        "Los más cercanos, sin responderla: {titles}.",
        " y ",
    ),
    "it": _Words(
        "I documenti in {where} non contengono una risposta a questa domanda.",
        "I più vicini, senza rispondervi: {titles}.",
        " e ",
    ),
    "nl": _Words(
        "De documenten in {where} bevatten geen antwoord op deze vraag.",
        "Het dichtst erbij, zonder antwoord: {titles}.",
        " en ",
    ),
    "pt": _Words(
        "Os documentos em {where} não contêm uma resposta a esta pergunta.",
        "Os mais próximos, sem respondê-la: {titles}.",
        " e ",
    ),
    "zh": _Words("{where} 中的文档没有回答这个问题。", "内容最接近但没有给出答案的是：{titles}。", "和", "、"),
    "ja": _Words(
        "{where} の文書にはこの質問への答えがありません。",
        "答えではありませんが、最も近いのは{titles}です。",
        "と",
        "、",
    ),
    "ko": _Words("{where}의 문서에는 이 질문에 대한 답이 없습니다.", "답은 아니지만 가장 가까운 문서: {titles}.", ", "),
    "ar": _Words(
        "لا تحتوي المستندات في {where} على إجابة عن هذا السؤال.", "أقربها إليه دون أن تجيب عنه: {titles}.", " و", "، "
    ),
}


def write_abstention(state: AnswerState, writer: Writer) -> None:
    """Say it in the question's language, and nothing twice: a model may have said it in its own words."""
    conversation = state["conversation"]
    language = conversation.manner.spoken or language_of(conversation.question) or "en"
    words = _WORDS[language]
    if not writer.length:
        writer.write(abstention(conversation.collections, language))
    titles = list(dict.fromkeys(_quoted(one.title) for one in closest_documents(state.get("evidence"))))
    if titles:
        writer.write(f"\n\n{words.closest.format(titles=_listed(titles, words))}")


def abstention(collections: Sequence[str], language: Spoken = "en") -> str:
    """That there is no answer in these collections."""
    words = _WORDS[language]
    return words.none.format(where=_listed([f"'{name}'" for name in collections], words))


def closest_documents(evidence: Evidence | None) -> list[ClosestDocument]:
    """The documents of the best passages that have anything to do with the question."""
    if evidence is None:
        return []
    subject = [term for term in evidence.question.focus if not is_generic(term)]
    found: dict[tuple[str, str], ClosestDocument] = {}
    for one in evidence.ranked:
        near, hit = one.passage.near_forms, one.passage.hit
        if one.feature("cosine") >= LIKE or any(not term.forms.isdisjoint(near) for term in subject):
            title = label(hit.title)
            closest = ClosestDocument(collection=hit.collection, document_id=hit.document_id, title=title)
            found.setdefault((hit.collection, hit.document_id), closest)
    return list(found.values())[:CLOSEST]


def _quoted(title: str) -> str:
    """A title as text: what looks like a citation marker is none."""
    shown = _MARKER.sub(r"(\1)", called(title))
    return f"“{shown}”"


def _listed(names: Sequence[str], words: _Words) -> str:
    return names[0] if len(names) == 1 else words.comma.join(names[:-1]) + words.both + names[-1]
