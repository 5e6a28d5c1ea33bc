"""A description in words: tags, a sentence, a caption, and prompts."""

from __future__ import annotations

import re

from .attribute import AVERAGE, CERTAIN, PERHAPS, Attribute
from .describe import Description
from .words import LANGUAGES
from .words.language import SUBJECTS, Language

STYLES = ("tags", "sentence", "caption", "prompt for SD", "prompt for Flux")
# Attributes that tell what a person does and how the light is; the others tell features.
_STATES = (
    "yaw", "pitch", "roll", "expression", "gaze", "mouth_open", "light_side", "light_height", "light_hardness",
    "sharpness", "size",
)  # fmt: skip


# What goes without saying in a prompt; a model would rather draw a beard that is named than leave it out.
_UNREMARKABLE = (AVERAGE, "none", "no fringe", "hidden", "even", "level", "upright", "ahead", "small", "open")
# Length of a caption, as the captions of UniF2ace.
TOKENS = 120


def text_of(description: Description, style: str = STYLES[0], language: str = "English") -> str:
    """The description in words of the `language`, a key of LANGUAGES.

    `style`: "tags" and "sentence" say what is not average. "caption" says everything, in about 120 tokens. Both prompts
    leave out what is not certain: tags for SD, full sentences for Flux.

    Raises ValueError for another style or language.
    """
    if style not in STYLES:
        raise ValueError(f"style is '{style}'; choose one of {', '.join(STYLES)}")
    if language not in LANGUAGES:
        raise ValueError(f"language is '{language}'; choose one of {', '.join(LANGUAGES)}")
    words = LANGUAGES[language]
    if style == "sentence":
        return _sentence(description, words)
    if style == "caption":
        return caption(description, words)
    if style == "prompt for Flux":
        opening = words.portrait[0].upper() + words.portrait[1:]
        return words.space.join([opening + words.stop, caption(description, words, prompt=True)]).strip()
    phrases = list(_phrases(description, words, PERHAPS if style == "tags" else CERTAIN).values())
    return words.comma.join([words.portrait, *phrases] if style == "prompt for SD" else phrases)


def _phrases(description: Description, words: Language, least: float) -> dict[str, str]:
    """Attribute -> its phrase; length and colour of hair become one."""
    own = {
        name: _hedged(words.tags[name][attribute.word], attribute, words)
        for name, attribute in description.items()
        if attribute.confidence >= least and attribute.word in words.tags.get(name, {})
    }
    if "hair_length" in own and "hair_colour" in own:
        length, colour = description["hair_length"], description["hair_colour"]
        both = words.hair.format(length=words.lengths[length.word], colour=words.colours[colour.word])
        del own["hair_colour"]
        own["hair_length"] = _hedged(both, min(length, colour, key=lambda each: each.confidence), words)
    return own


def _hedged(phrase: str, attribute: Attribute, words: Language) -> str:
    if attribute.confidence >= CERTAIN:
        return phrase
    verb = next((verb for verb in words.hedged_verbs if phrase.startswith(verb)), "")
    return verb + words.perhaps + phrase[len(verb) :]


def _sentence(description: Description, words: Language) -> str:
    phrases = _phrases(description, words, PERHAPS)
    states = [phrase for name, phrase in phrases.items() if name in _STATES]
    features = [phrase for name, phrase in phrases.items() if name not in _STATES]
    start = words.comma.join([words.opening] * bool(words.opening) + states)
    text = (words.features if start else "").join([start, _listed(features, words)]) if features else start
    return text[:1].upper() + text[1:] + words.ending + words.stop


def caption(description: Description, words: Language, *, prompt: bool = False) -> str:
    """Full sentences, one for each subject, of about TOKENS tokens at most.

    What is unremarkable is left out first, and of that the least certain. `prompt`: without what is unremarkable or not
    certain.
    """
    least = CERTAIN if prompt else PERHAPS
    told = {
        name: attribute
        for name, attribute in description.items()
        if attribute.confidence >= least and attribute.word in words.predicates.get(name, {})
    }
    unremarkable = [name for name, attribute in told.items() if attribute.word in _UNREMARKABLE]
    spare = sorted(told, key=lambda name: (name not in unremarkable, told[name].confidence))
    if prompt:
        told = {name: attribute for name, attribute in told.items() if name not in unremarkable}
    text = _full_sentences(told, words)
    for name in spare:
        if _tokens(text) <= TOKENS:
            break
        told.pop(name, None)
        text = _full_sentences(told, words)
    return text


def _full_sentences(told: Description, words: Language) -> str:
    sentences = []
    for subject, names in SUBJECTS.items():
        clauses = [
            _hedged(words.predicates[name][told[name].word], told[name], words) for name in names if name in told
        ]
        if clauses:
            sentences.append(words.subjects[subject] + words.space + _listed(clauses, words) + words.stop)
    return words.space.join(sentences)


def _tokens(text: str) -> int:
    """About as many as a text encoder's: words of letters, and every other sign by itself."""
    return len(re.findall(r"[A-Za-z]+|[^\sA-Za-z]", text))


def _listed(phrases: list[str], words: Language) -> str:
    return words.last.join([words.comma.join(phrases[:-1]), phrases[-1]]) if len(phrases) > 1 else "".join(phrases)
