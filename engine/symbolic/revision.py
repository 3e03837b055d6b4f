"""What of a closure may fall when a NOT no longer holds, and a store without it.

A rule with a NOT gives triples that a claim can take back, and so can every rule that reads them. What those rules give
is inferred again in each world that needs it; all other relations of the closure hold in every world as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.symbolic.compile import CompiledRule, Program
from engine.symbolic.draft import head_key
from engine.symbolic.join import CompiledNegation
from engine.symbolic.relation import Key, Store

__all__ = ["Revision", "resting_on"]


class Revision:
    """A closed store with the inferred rows of some relations left out, and the rules that give them.

    Args:
        base: the closed store; relations that stay whole are shared.
        keys: the relations whose inferred rows are left out.
    """

    def __init__(self, base: Store, program: Program, keys: frozenset[Key]) -> None:
        self.keys, self.left_out, self._type_id = keys, 0, program.type_id
        self.store = Store(base.type_id)
        for key, relation in base:
            if key not in keys:
                self.store.relations[key] = relation
                continue
            kept = np.ones(relation.size, dtype=bool)
            kept[relation.inferred] = False
            self.left_out += relation.size - int(kept.sum())
            if kept.any():
                self.store.relations[key] = relation.keep(kept)

    def starts_over(self, rule: CompiledRule) -> bool:
        """Whether a rule may have given rows that were left out, or a constraint has a NOT that reads such rows.

        Such a rule is applied to all of a world, any other to what the world has that the closure has not.
        """
        if rule.head:
            return any(key is None or key in self.keys for key in self._adds_to(rule))
        return any(_reads(negation, self.keys) for negation in rule.negations)

    def takes_back(self, rule: CompiledRule) -> bool:
        """Whether all that a rule gave was left out, so that its NOT may fail."""
        return all(key in self.keys for key in self._adds_to(rule))

    def _adds_to(self, rule: CompiledRule) -> list[Key | None]:
        return [head_key(triple, self._type_id) for triple in rule.head]


def resting_on(rules: Iterable[CompiledRule], program: Program) -> frozenset[Key] | None:
    """The relations that some rules add to, or other rules by what these gave.

    None where it may be any relation, one of the schema, or owl:sameAs, as then the rules themselves may be others; and
    where rules with aggregates may add to one of them, as worlds do not count.
    """
    found: set[Key] = set()
    ready = list(rules)
    waiting = [rule for rule in program.rules if rule not in set(ready)]
    while ready:
        for rule in ready:
            for triple in rule.head:
                key = head_key(triple, program.type_id)
                if key is None or program.is_schema(key) or key[0] == program.same_as:
                    return None
                found.add(key)
        ready = [rule for rule in waiting if _rests_on(rule, found)]
        chosen = set(ready)
        waiting = [rule for rule in waiting if rule not in chosen]
    counted = [head_key(head, program.type_id) for rule in program.rules if rule.grouping for head in rule.head]
    return None if any(key is None or key in found for key in counted) else frozenset(found)


def _rests_on(rule: CompiledRule, keys: set[Key]) -> bool:
    if not rule.rule.data and any(key in keys for key in rule.keys):
        return True
    return any(_reads(negation, keys) for negation in rule.negations)


def _reads(negation: CompiledNegation, keys: set[Key] | frozenset[Key]) -> bool:
    """Whether inferred rows of one of the relations may match; an atom without a key may match any."""
    return not negation.data and any(atom.key is None or atom.key in keys for atom in negation.atoms)
