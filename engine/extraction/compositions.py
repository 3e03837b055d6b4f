"""Rules learnt from what lessons tell and what they say follows: compositions, attributes, inverses.

- composition: r₁(x, y) and r₂(y, z) give r₃(x, z);
- attribute: r(x, y) gives that y has the value v;
- inverse: r(x, y) and that x has the value v give r′(y, x), as the one whose father a man is, is his son.

`engine.mining` counts what a graph does not say as false, which is right for a large graph and wrong for a story of
four people; and it knows no rule with a path and an attribute. So these three forms are counted here, among the pairs
of which something is known.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from engine.extraction.candidates import CandidateRule, Pattern
from engine.extraction.lessons import Lesson

__all__ = ["ATTRIBUTE", "LearntRules", "learn_rules"]

ATTRIBUTE = "is"
"""The relation between a name and the value of its attribute."""
Counts: TypeAlias = dict[tuple[str, str], Counter[str]]


@dataclass(frozen=True)
class LearntRules:
    """Rules with their confidence.

    Args:
        compositions: r₃ for r₁ and r₂. attributes: v for r. inverses: r′ for r and v.
    """

    compositions: Mapping[tuple[str, str], tuple[str, float]]
    attributes: Mapping[str, tuple[str, float]]
    inverses: Mapping[tuple[str, str], tuple[str, float]]

    @property
    def backwards(self) -> dict[tuple[str, str], str]:
        """The inverses without their confidence."""
        return {key: relation for key, (relation, _) in self.inverses.items()}

    def composed(self) -> list[CandidateRule]:
        """The compositions as candidates, in a fixed order."""
        return [
            CandidateRule(
                (Pattern("?x", first, "?y"), Pattern("?y", second, "?z")), Pattern("?x", relation, "?z"), confidence
            )
            for (first, second), (relation, confidence) in sorted(self.compositions.items())
        ]

    def rules(self) -> list[CandidateRule]:
        """All rules as candidates, in a fixed order."""
        found = self.composed()
        for relation, (value, confidence) in sorted(self.attributes.items()):
            found.append(CandidateRule((Pattern("?x", relation, "?y"),), Pattern("?y", ATTRIBUTE, value), confidence))
        for (relation, value), (inverse, confidence) in sorted(self.inverses.items()):
            body = (Pattern("?x", relation, "?y"), Pattern("?x", ATTRIBUTE, value))
            found.append(CandidateRule(body, Pattern("?y", inverse, "?x"), confidence))
        return found


def learn_rules(lessons: Sequence[Lesson], *, support: int = 3) -> LearntRules:
    """The rules that lessons show, of several for one body the most frequent.

    Args:
        lessons: their facts and steps are read, never their passages.
        support: how often a rule must hold at the least.
    """
    return LearntRules(
        _best(_compositions(lessons), support),
        {key[0]: rule for key, rule in _best(_attributes(lessons), support).items()},
        _best(_inverses(lessons), support),
    )


def _best(counts: Counts, support: int) -> dict[tuple[str, str], tuple[str, float]]:
    """The most frequent head of each body, with a confidence that is lower where there is little to count."""
    found = {}
    for body, heads in counts.items():
        (head, held), *_ = sorted(heads.items(), key=lambda item: (-item[1], item[0]))
        if head and held >= support:
            found[body] = (head, held / (heads.total() + 1))
    return found


def _known(lesson: Lesson) -> dict[tuple[str, str], str]:
    """The relation of each pair that the lesson tells or concludes."""
    steps = [fact for conclusion, premises in lesson.steps for fact in (conclusion, *premises)]
    return {(head, tail): relation for head, relation, tail in (*steps, *lesson.facts)}


def _compositions(lessons: Sequence[Lesson]) -> Counts:
    """How often two relations in a row are known to give a third, or are known to give another.

    A story of three steps says what one way to put them together gives. The other ways must come to the same by the
    rules that were seen; where they do not, it counts against the last rule used.
    """
    seen: Counts = defaultdict(Counter)
    for lesson in lessons:
        known = _known(lesson)
        for body, pair in _in_a_row(((*pair, relation) for pair, relation in known.items())):
            if pair in known:
                seen[body][known[pair]] += 1
    heads = {body: relations.most_common(1)[0][0] for body, relations in seen.items()}
    counts: Counts = defaultdict(Counter)
    for lesson in lessons:
        known = _known(lesson)
        every = {(*pair, relation) for pair, relation in known.items()}
        every |= {(*pair, heads[body]) for body, pair in _in_a_row(every) if body in heads and pair not in known}
        for body, pair in _in_a_row(every):
            if body in heads and pair in known:
                counts[body][known[pair]] += 1
    return counts


def _in_a_row(related: Iterable[tuple[str, str, str]]) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Two relations, one beginning at the name the other ends at, and the two names that they lead from and to."""
    rows = sorted(related)
    return [((r, s), (x, z)) for x, y, r in rows for other, z, s in rows if y == other and x != z]


def _attributes(lessons: Iterable[Lesson]) -> Counts:
    counts: Counts = defaultdict(Counter)
    for lesson in lessons:
        for (_, tail), relation in _known(lesson).items():
            if tail in lesson.attributes:
                counts[relation, ""][lesson.attributes[tail]] += 1
    return counts


def _inverses(lessons: Iterable[Lesson]) -> Counts:
    """How often r(x, y), x with a value, goes with r′(y, x), over the names of each group."""
    seen: dict[tuple[str, str, str, str], Counter[str]] = defaultdict(Counter)
    for lesson in lessons:
        for (head, tail), relation in _known(lesson).items():
            if head in lesson.attributes and tail in lesson.attributes:
                values = f"{lesson.attributes[head]} {lesson.attributes[tail]}"
                seen[lesson.group, values, head, tail][relation] += 1
    counts: Counts = defaultdict(Counter)
    for (group, values, head, tail), relations in seen.items():
        value, _, other = values.partition(" ")
        back = seen.get((group, f"{other} {value}", tail, head))
        for relation, times in relations.items() if back else ():
            for inverse, others in back.items():  # type: ignore[union-attr]  # none is left out above
                counts[relation, value][inverse] += times * others
    return counts
