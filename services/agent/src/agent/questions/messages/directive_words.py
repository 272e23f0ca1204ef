"""The words by which people and programs say how to answer, in four languages. A closed vocabulary of the field:
    what a
document may be about is not in it.

Patterns stand one under another; a line that is indented goes on with the one before.
"""

from __future__ import annotations

import re


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in re.sub(r"\n +", "", text).split("\n") if line.strip())


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pattern(text: str) -> str:
    return "".join(line.strip(" ") if line.startswith("    ") else line for line in text.split("\n"))


_ENGLISH = r"""
(?:answer|reply|respond)(?: (?:me|us|back|here))?(?: to)?(?: (?:the|this|my|our|all|any|each|every|these
    |following|above|below|user['’]?s?|given|original|final|questions?|quer(?:y|ies)|requests?|prompts?
    |messages?|task|it))*(?:\W*$| (?:in|with|as|using|only|by|from|based|on|at|under|within|without|like
    |according|clearly|briefly|shortly|concisely|succinctly|directly|honestly|truthfully|accurately|completely
    |fully|carefully|politely|formally|immediately|quickly|precisely|strictly|solely|exclusively|always|and|if|just
    |simply|for|about
    |correctly|thoroughly|step|yes)\b)
(?:act as|behave (?:as|like)|pretend|take (?:on )?the role of|play the role of|assume the role)\b
you(?: are|['’]re) (?:now )?(?:an?|the|my|our)\b.{0,120}?\b(?:assistant|expert|bot|chatbot|ai|agent|model
    |analyst|helper|specialist|system|advisor|adviser|librarian|researcher|copilot|tutor|teacher)\b
your (?:personal |main |only )?(?:task|job|role|goal|objective|purpose) is\b
use (?:(?:only|the|these|this|those|any|all|following|provided|given|above|below|retrieved|supplied|relevant
    |extracted|pieces?|parts?|of) )*(?:context|passages?|documents?|sources?|information|excerpts?|knowledge base
    |search results|snippets?)\b.*\b(?:answer|question|query|respond|only|below|above|following|provided|given
    |retrieved)\b
use (?:only )?(?:the )?(?:following|provided|given|retrieved|supplied) (?:pieces? of )?(?:retrieved )?(?:context
    |passages?|documents?|sources?|information|excerpts?)\b
(?:given|based|using|according to|from|considering|with)\b.{0,60}?\b(?:context|passages?|documents?|sources?
    |information|excerpts?|knowledge|conversation|fields?|choices)\b.{0,80}?\b(?:answer|respond|reply|create
    |refine|produce|rephrase|provide|write|give)\b
if (?:you|it|they|there)\b.{0,40}?\b(?:know|find|sure|certain|unsure|uncertain|answer|context|information
    |enough)\b
if (?:uncertain|unsure|not (?:sure|found|present))\b
if (?:the|none of the|no) (?:provided |given |retrieved )?(?:answer|context|information|documents?|sources?
    |passages?|question|query|user)\b.*\b(?:say|state|tell|reply|respond|answer|write|inform|explain|return
    |output|ask|not)\b
(?:do not|don['’]?t|never|avoid|refrain from)\b.{0,60}?\b(?:mak(?:e|ing) (?:up|things up|it up)|invent
    |hallucinat|guess|speculat|apologi|explain|answer|respond|reply|repeat the question|preamble|markdown|json
    |sources?|citations?|context|prior knowledge|knowledge|xml|emojis?|jargon|introduc|commentary|code blocks?
    |sentences?)\w*
(?:think|reason|work|go)(?: (?:it|this|through|about|the|question|problem))* (?:step[- ]by[- ]step|carefully
    |aloud|out loud|hard)\b
let['’]?s think\b|take a deep breath|begin!|this is (?:very |extremely )?important\b|i (?:will|['’]ll) tip\b
show your (?:work|reasoning|thinking)\b|explain your (?:reasoning|answer|thinking)\b
(?:explain|describe|say|put|tell me|write)?(?: it| this| that)?(?: to me)? ?like (?:i['’ a]{1,4}m|i am) (?:five
    |5)\b
(?:return|output|produce|generate|emit) (?:(?:only|just|your|the|a|an|valid|pure|raw|final) )*(?:answers?
    |responses?|json|xml|yaml|csv|markdown|html)\b
(?:cite|reference|quote)(?: (?:the|your|all|any|every|each|exact|relevant|its|their|where|which))* (?:sources?
    |documents?|passages?|citations?|references?|pages?|quotes?|sections?)\b(?! (?:of|for|on|about) (?!your
    |the answer))
(?:be|stay|remain|keep (?:it|this|that|everything)|make it|try to be) (?:(?:as|very|more|really|both
    |always) )*(?:brief|concise|short|precise|specific|polite|friendly|formal|informal|helpful|honest|accurate
    |thorough|detailed|succinct|clear|factual|objective|professional|simple|truthful|direct|terse
    |comprehensive)\b
keep it (?:under|within|to|below|in)\b
(?:some )?(?:context|information|documents|passages|sources)(?: information)?(?: from multiple sources)? (?:is
    |are) (?:given |provided |shown |listed )?(?:below|above|as follows)\b
we have (?:the opportunity|provided an existing)\b
(?:(?:give|return|state|write|tell|say|want|need|i) )*(?:me )?the (?:answer|number|name|date|value)s?(?: only)?,?
    (?: please)?\W*$
eli5\b|take your time\b|write (?:like|as) (?:an?|if)\b
explain(?: it| this| that| everything)?(?: to me)? (?:in|using|with) (?:simple|plain|easy|layman|everyday
    |non-technical
    |short|more detail|detail|full|one|two|a few|your own)\b
explain (?:briefly|simply|shortly|clearly)\W*$
use (?:an? )?(?:(?:numbered|bulleted|short|markdown) )*(?:lists?|tables?|headings?|markdown)(?: format)?\W*$
use (?:only )?(?:the )?(?:information|facts|data|text|content) (?:from|in|of) (?:the )?(?:provided |given )?(?:context
    |documents?|sources?|passages?|handbook|manual|knowledge base)\W*$
(?:include|add|give|provide|mention|state|name|list|show|indicate)(?: (?:me|the|your|all|exact|relevant|any))*
    (?: sources?| references?| citations?| quotes?| source documents?| documents? where)(?: (?:documents?|names?
    |titles?
    |and|or|page|numbers?|sections?|pages?|to|of|the|at|end|for|each|every|your|where|you|found|it|from|inline|in
    |answer
    |used))*\W*$
(?:say|write|state|return|output)\b.{0,60}\bif (?:you|the answer|it|there|not|no)\b
you (?:always |only )?(?:answer|help|assist|respond|reply)\b
(?:using|based on|according to|from|search|consult|check|read) (?:only )?(?:the|our|my|your|this|these|all)\b.{0,40}?
    (?:,| and) (?:then )?answer\b
"""
_GERMAN = r"""
(?:be)?antworte(?:n sie)?(?: (?:mir|bitte|immer|nur|mich|die|diese|meine|folgende|gestellte|frage
    |fragen))*(?:\W*$| (?:auf|in|mit|als|kurze?r?|knapp|ausführlich|im|ohne|anhand|basierend|ausschließlich|höflich
    |so|unter|per|vollständig|präzise|nur|immer)\b)
(?:schreibe?|schreiben sie|formulieren? sie|formuliere)(?: bitte)? (?:auf|kurz|knapp|höflich|einfach)\b
(?:du bist|sie sind) (?:ein|eine|der|die)\b.{0,120}?(?:assistent\w*|experte|expertin|chatbot|bot|ki
    |berater\w*)\b
(?:fass(?:e)? dich|halte dich|fassen sie sich|halten sie sich) kurz\b
(?:sei|seien sie|bleib|bleiben sie) (?:bitte |so )?(?:kurz|knapp|präzise|höflich|ausführlich|prägnant
    |freundlich)\b
(?:nenne?|nennen sie|gib|geben sie|zitiere|zitieren sie|belege)(?: (?:mir|bitte|auch|immer|die|deine|ihre|alle
    |dabei|stets))* (?:quellen?(?:angaben?)?|belege?|fundstellen?|zitate?)(?: (?:an|mit an|hinzu))?\W*$
(?:nutze|verwende|benutze|nutzen sie|verwenden sie|benutzen sie)\b.{0,60}\b(?:kontext\w*|dokumente\w*|quellen
    |informationen|textpassagen|stichpunkte|markdown|json)\b
(?:wenn|falls) (?:du|sie)\b.{0,30}\bnicht (?:weißt|wissen|sicher|kennst|kennen|findest|finden)\b
erfinden? (?:sie )?nichts\b|denke?(?:n sie)? schritt für schritt\b
"""
_FRENCH = r"""
(?:réponds?|répondez|répondre)(?: (?:moi|toujours|uniquement|seulement|à (?:la|cette
    |ma) question(?: suivante)?))*(?:\W*$
    | (?:en|avec|sous|de|brièvement|par|au|dans|comme|clairement|poliment|uniquement|seulement)\b)
(?:écri[st]|écrivez) en\b|(?:sois|soyez) (?:bref|brève|concise?|précise?|polie?)\b
(?:cite[rz]?|indique[rz]?|mentionne[rz]?|donne[rz]?)(?:[ -](?:moi|tes|vos|les|toujours|tous|toutes
    |des))* (?:sources?|références?|citations?)\W*$
(?:tu es|vous êtes) une?\b.{0,120}?\b(?:assistante?|experte?|chatbot|robot|ia)\b
utilise[rz]?\b.{0,60}\b(?:contexte|documents?|extraits?|passages?|sources?|puces|markdown|json)\b
si (?:tu|vous) ne\b.{0,20}\b(?:sais|savez|connais|connaissez|trouve[sz]?)\b|n['’]invente[sz]?\b
(?:pense[sz]?|réfléchis(?:sez)?) étape par étape\b
"""
_SPANISH = r"""
(?:responde|responda|contesta|conteste)(?: (?:a (?:la|esta|mi)(?: siguiente)? pregunta|siempre|me))*(?:\W*$| (?:en
    |con|de|solo
    |sólo|brevemente|usando|únicamente|por|como|claramente|según)\b)
(?:escribe|escriba) en\b|(?:sé|sea) (?:breve|conciso|concisa|preciso|precisa|amable)\b
(?:cita|cite|menciona|mencione|indica|indique|incluye|incluya)(?: (?:las?|tus|sus|siempre|todas))* (?:fuentes?
    |referencias?|citas?)\W*$
(?:eres|usted es) una?\b.{0,120}?\b(?:asistente|expert[oa]|chatbot|bot|ia)\b
(?:usa|use|utiliza|utilice)\b.{0,60}\b(?:contexto|documentos?|fuentes?|pasajes?|viñetas|markdown|json)\b
si no (?:lo )?(?:sabes|sabe|conoces|conoce|encuentras|encuentra)\b|no (?:te )?inventes?\b
    |piens[ae] paso a paso\b
"""
OPENERS = tuple(one for language in (_ENGLISH, _GERMAN, _FRENCH, _SPANISH) for one in _patterns(language))
"""How a sentence about the answer begins; anything may follow."""

ANSWER_OF_OURS = _pattern(
    r"""\b(?:your|the final) (?:final |complete |whole )?(?:answer|response|reply|output)s?\b(?! times?\b| rates?\b)
    |\b(?:deiner?|deine[nm]) antworte?n?\b|\b(?:ta|votre) réponse\b|\b(?:tu|su) respuesta\b"""
)
"""What only somebody who says how to answer speaks of."""

SHORT = _pattern(
    r"""brief(?:ly)?|concise(?:ly)?|short(?:ly)?|succinct(?:ly)?|tersely|tl;?dr|(?:an?|one|two|three|four|five|six
    |seven
    |eight|ten|\d{1,4}|a few|few|several|one or two|a couple of|single)[ -](?:(?:short|brief|complete|full
    |single) )?(?:sentences?|words?|lines?|paragraphs?)(?: or (?:less|fewer))?|kurze?r?|knapp|prägnant|courte?|corta
    |bref|brève(?:ment)?|brièvement|breve(?:mente)?|(?:eine[mn]?|zwei|drei|vier|fünf|wenigen|une?|deux|trois|quatre
    |cinq|quelques|una?|dos|tres|cuatro|cinco|pocas|\d{1,4}) (?:kurzen )?(?:s[aä]tz(?:e|en)?|wörtern?|worten
    |zeilen|phrases?|mots|lignes|frases?|palabras|líneas)"""
)
DETAILED = _pattern(
    r"""(?:in (?:full |great |more )?|more )?detail(?:s|ed)?|thorough(?:ly)?|at length|comprehensive(?:ly)?
    |ausführlich
    |detailliert|en détail|détaillée?|en detalle|detallad[oa]"""
)
SHAPE = _pattern(
    r"""json|xml|yaml|csv|html|latex|(?:numbered |bulleted |bullet |short )?bullets?(?: points?)?|code blocks?
    |emojis?
    |(?:as|in|als|in form|en|como|sous)(?: of| einer| de)?(?: an?| une?| una| eine)?(?: (?:numbered|bulleted|bullet
    |short
    |markdown))* (?:list|table|liste|tabelle|tableau|lista|tabla)|markdown(?: tables?| lists?)?|headings?
    |stichpunkten?|sous forme de tableau|aufzählung|(?:à )?puces|viñetas"""
)
PLAIN = r"plain text|reiner text|texte brut|texto plano"
CITING = _pattern(
    r"""(?:inline )?(?:sources?|citations?|references?|quotes?)|quellen(?:angaben?)?|belege[n]?|références?|fuentes?
    |referencias?|citas"""
)
TONE = _pattern(
    r"""polite(?:ly)?|friendly|formal(?:ly)?|informal(?:ly)?|professional(?:ly)?|jargon|tone|(?:simple|plain|easy
    |layman['’]?s?) (?:terms|words|language|english)|höflich|freundlich|förmlich|einfache[nr] (?:worten|sprache)
    |poliment|langage simple|formellement|amable(?:mente)?|palabras sencillas"""
)
GROUNDING = _pattern(
    r"""context|prior knowledge|(?:own|outside) knowledge|(?:provided|given|retrieved|supplied|above
    |below) (?:documents?|passages?|information|text)|(?:documents?|passages?|information|text) (?:provided
    |given|above|below)|kontext|contexte|contexto"""
)
THINKING = _pattern(
    r"""step[- ]by[- ]step|reasoning|explanations?|preamble|erklärung(?:en)?|schritt für schritt|étape par étape
    |paso a paso"""
)

NEUTRAL = _words(
    """answer answers answered answering response responses respond reply replying output question questions query
    use using used give write provide include add make keep format formatted language style possible always
    only also final following based provided given above below exact exactly relevant clear clearly helpful
    accurate thanks maximum max minimum least limit limited under within enough ensure valid return nothing
    else full complete sure mention contain start begin end help want need like directly user users say
    simply stick strictly solely speak ask asks asked asking tell know quick less fewer needed required necessary
    yes here suivante siguiente
    folgende te plaît keine kein an aus bitte immer nur auch gib geben deine ihre antwort antworte antworten
    verwende nutze mit ohne und die der das auf in als maximal höchstens frage ein eine einer einem einen im
    répondez réponds réponse avec sans seulement uniquement les des vos tes la le merci svp s'il vous plaît
    en de du une responde respuesta con sin solo sólo máximo las los el por favor pregunta y un tus sus"""
)
"""What may stand beside a word of the field without making a sentence one about something else."""

ANNOUNCING = r"(?:questions?|following|asks?|tell me|answer|query|help|frage|folgende\w?|suivante|siguiente|pregunta)"
"""What a line with a colon has that goes before a question: "my question is:"."""

LANGUAGES = {
    "english": "English", "german": "German", "french": "French", "spanish": "Spanish", "italian": "Italian",
    "dutch": "Dutch", "portuguese": "Portuguese", "chinese": "Chinese", "mandarin": "Chinese", "japanese": "Japanese",
    "korean": "Korean", "arabic": "Arabic", "polish": "Polish", "russian": "Russian", "turkish": "Turkish",
    "swedish": "Swedish", "danish": "Danish", "norwegian": "Norwegian", "finnish": "Finnish", "czech": "Czech",
    "ukrainian": "Ukrainian", "hindi": "Hindi",
    "englisch": "English", "deutsch": "German", "französisch": "French", "spanisch": "Spanish",
    "italienisch": "Italian", "niederländisch": "Dutch",
    "anglais": "English", "allemand": "German", "français": "French", "espagnol": "Spanish", "italien": "Italian",
    "inglés": "English", "alemán": "German", "francés": "French", "español": "Spanish", "italiano": "Italian",
}  # fmt: skip
