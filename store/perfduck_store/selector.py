"""Which profiles a SELECTOR means.

    native.udp64.1                     a name
    native.*                           a glob over names: * ? [abc]
    scenario=native,workload=udp64     labels, all of them; a value may be a glob
    native.*,workload=udp64            a name and a label
    run1+run2                          the profiles of both
    id:8f31c2a4d5e60718                the profile with this id, under any name
    "c++"+"run[1]"                     in double quotes + , = * ? [ are themselves; "" is a quote

A profile whose name is the whole text, or all of it between two +, is meant by it without quotes.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from glob import escape

from msgspec import Struct

from perfduck_model.errors import NoProfileError, PerfduckError
from perfduck_model.words import did_you_mean, listed
from perfduck_store.protocol import Store
from perfduck_store.records import Profile

_TOKEN = re.compile(
    r"""
    "(?P<quoted>(?:[^"]|"")*)"
    | (?P<mark>[+,=])
    | (?P<plain>[^"+,=]+)
    | (?P<open>")              # a quote that does not end
    """,
    re.VERBOSE,
)
_ID = re.compile(r"id:(?P<digits>[0-9a-f]{16})", re.IGNORECASE)
_IDS = 1 << 64  # shown without a sign
EXPECTED = "expected a profile name, glob or label"


class Term(Struct, frozen=True):
    """`key=pattern` over labels, without a key a pattern over names, or an id. `text`: as typed."""

    key: str | None
    pattern: str
    text: str

    @property
    def profile_id(self) -> int | None:
        """The id that the term is; None where it is a label or a name."""
        digits = _ID.fullmatch(self.text) if self.key is None else None
        return digits and _signed(int(digits["digits"], 16))

    def means(self, profile: Profile) -> bool:
        """Whether the profile is meant."""
        if self.profile_id is not None:
            return profile.profile_id == self.profile_id
        value = profile.name if self.key is None else profile.labels.get(self.key)
        return value is not None and fnmatchcase(value, self.pattern)


class SelectorTerm(Struct, frozen=True):
    """Profiles that all terms mean. `text`: as typed."""

    terms: tuple[Term, ...]
    text: str

    def of(self, profiles: Sequence[Profile]) -> list[Profile]:
        """Those of the profiles that are meant."""
        called = [each for each in profiles if each.name == self.text]
        return called or [p for p in profiles if all(term.means(p) for term in self.terms)]


def select(store: Store, selector: str, where: Sequence[str] = ()) -> dict[int, str]:
    """profile_id -> name, by name, of the profiles that the selector and every selector of `where`
    mean. NoProfileError where one of them means none, or no profile is meant by all."""
    profiles = store.profiles.all()
    chosen = _meant(selector, profiles)
    for each in where:
        both = _meant(each, profiles) & chosen
        if not both:
            why = _why_not(chosen, each, profiles)
            raise NoProfileError.at(
                selector, expected=f"a profile that is also {each}", got=f"none ({why})"
            )
        chosen = both
    return {each.profile_id: each.name for each in profiles if each.profile_id in chosen}


def _meant(selector: str, profiles: Sequence[Profile]) -> set[int]:
    if not profiles:
        message = f"{selector}: {EXPECTED}, but the store is empty"
        raise NoProfileError(message)
    called = {each.profile_id for each in profiles if each.name == selector}
    return called or {
        each.profile_id for part in parse(selector) for each in _found(part, profiles)
    }


def _found(part: SelectorTerm, profiles: Sequence[Profile]) -> list[Profile]:
    matches = part.of(profiles)
    if not matches:
        message = f"{part.text}: {EXPECTED}, got none that matches ({_nothing(part, profiles)})"
        raise NoProfileError(message)
    return matches


def parse(selector: str) -> list[SelectorTerm]:
    """The parts of a selector. PerfduckError where a quote is not closed, or a part is empty."""
    parts = [_part(tokens) for tokens in _split(_tokens(selector), "+")]
    for part in parts:
        if any(not (term.pattern or term.key) or term.key == "" for term in part.terms):
            message = f"{selector!r}: {EXPECTED} between + and ,; got an empty one"
            raise PerfduckError(message)
    return parts


def _tokens(selector: str) -> list[re.Match[str]]:
    tokens = list(_TOKEN.finditer(selector))
    if any(token["open"] for token in tokens):
        message = f'{selector}: expected a closing " in the selector'
        raise PerfduckError(message)
    return tokens


def _split(tokens: list[re.Match[str]], mark: str) -> Iterator[list[re.Match[str]]]:
    """The tokens between the marks."""
    start = 0
    for end, token in enumerate(tokens):
        if token["mark"] == mark:
            yield tokens[start:end]
            start = end + 1
    yield tokens[start:]


def _part(tokens: list[re.Match[str]]) -> SelectorTerm:
    return SelectorTerm(tuple(map(_term, _split(tokens, ","))), _text(tokens))


def _term(tokens: list[re.Match[str]]) -> Term:
    for place, token in enumerate(tokens):
        if token["mark"] == "=":
            key = "".join(map(_literal, tokens[:place]))
            return Term(key, _pattern(tokens[place + 1 :]), _text(tokens))
    return Term(None, _pattern(tokens), _text(tokens))


def _text(tokens: list[re.Match[str]]) -> str:
    return "".join(token[0] for token in tokens)


def _literal(token: re.Match[str]) -> str:
    quoted = token["quoted"]
    return token[0] if quoted is None else quoted.replace('""', '"')


def _pattern(tokens: list[re.Match[str]]) -> str:
    """For fnmatch: what is quoted is itself."""
    return "".join(
        token[0] if token["quoted"] is None else escape(_literal(token)) for token in tokens
    )


def quoted(name: str) -> str:
    """The name as a selector that means it among others."""
    doubled = name.replace('"', '""')
    is_more = re.search(r'["+,=*?\[]', name) or _ID.fullmatch(name)
    return f'"{doubled}"' if is_more else name


def by_id(profile_id: int) -> str:
    """The selector that means the profile with this id."""
    return f"id:{profile_id % _IDS:016x}"


def _signed(number: int) -> int:
    return number - _IDS if number >= _IDS // 2 else number


def _nothing(part: SelectorTerm, profiles: Sequence[Profile]) -> str:
    """Why a part means no profile: of its first term that means none, what there is."""
    for term in part.terms:
        if not any(term.means(each) for each in profiles):
            return _no_name(term, profiles) if term.key is None else _no_label(term, profiles)
    first = SelectorTerm(part.terms[:1], part.terms[0].text)
    return _why_not({each.profile_id for each in first.of(profiles)}, part.text, profiles)


def _no_name(term: Term, profiles: Sequence[Profile]) -> str:
    if term.profile_id is not None:
        return "no profile has this id: it was removed, or is in another store"
    names = [each.name for each in profiles]
    keys = sorted({key for each in profiles for key in each.labels})
    labels = f"; labels: {listed(keys)}" if keys else ""
    of_value = [key for key in keys if any(p.labels.get(key) == term.text for p in profiles)]
    meant = f"did you mean {of_value[0]}={term.text}? " if of_value else ""
    return f"{meant or did_you_mean(term.text, names)}profiles: {listed(names)}{labels}"


def _no_label(term: Term, profiles: Sequence[Profile]) -> str:
    key = str(term.key)
    keys = sorted({each for profile in profiles for each in profile.labels})
    if key not in keys:
        hint = f"labels: {listed(keys)}" if keys else "no profile has labels"
        return f"no profile has label {key}; {did_you_mean(key, keys)}{hint}"
    values = sorted({each.labels[key] for each in profiles if key in each.labels})
    value = term.text.partition("=")[2]
    return f"{did_you_mean(value, values)}{key} is one of: {listed(values)}"


def _why_not(chosen: set[int], selector: str, profiles: Sequence[Profile]) -> str:
    """What the chosen profiles have of the keys that the selector asks for."""
    keys = {term.key for part in parse(selector) for term in part.terms if term.key is not None}
    those = [each for each in profiles if each.profile_id in chosen]
    has = [
        f"{key} {listed(sorted({each.labels.get(key, 'not given') for each in those}))}"
        for key in sorted(keys)
    ]
    if has:
        return f"they have {', '.join(has)}"
    return f"they are {listed([each.name for each in those])}; a comma means all of it, + any"
