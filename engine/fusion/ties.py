"""Claims tied together by rules, and the loss that says what the rules say.

A tie is a claim without a label and the labelled claims it rests on. Either the rules conclude it from them and from
known triples, or a constraint forbids it together with them. What they come to, :math:`d`, is the product of the best
proof over the model's own probabilities (the product t-norm, through `SoftRules`); known triples count as 1. With
:math:`p` for the probability of what is concluded, the loss is the negative logarithm of the probability that the rule
is met, were the claims independent (the semantic loss of https://arxiv.org/abs/1711.11157, equation 1):

.. math:: -\\log (1 - d (1 - p)), \\qquad -\\log (1 - d)

for a conclusion, and for a constraint, in whose :math:`d` the claim without a label has its part.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from engine.fusion.examples import ClaimExample, Phrases, generate_examples
from engine.fusion.grounding import IdTriple
from engine.fusion.soft_rules import SoftRules
from engine.symbolic import Closure, Proof, Violation
from engine.symbolic.derivations import Target
from kg.errors import BudgetError, InputError

__all__ = ["Tie", "rule_loss", "tie_claims"]

_LEAST = 1e-6  # bounds the logarithm where a rule is broken outright
_MOST = 3  # given triples of one proof that become claims; the others count as known
_MOVED = ClaimExample("", None, 0.0, "moved into a group")


@dataclass(frozen=True, eq=False)
class Tie:
    """Claims of one group, in the order of its examples; the last one has no label.

    Attributes:
        concluded: whether the rules conclude the last claim; else a constraint forbids it.
        weigh: what the claims come to, by their probabilities: all but the last, or all.
    """

    concluded: bool
    weigh: SoftRules

    def strength(self, p: Float[Tensor, " claim"]) -> Float[Tensor, ""]:
        """The weight in [0, 1] with which the claims break the rule."""
        if self.concluded:
            return self.weigh(p[:-1]).squeeze(0) * (1 - p[-1])
        return self.weigh(pad(p, (0, 1))).squeeze(0)  # nothing may rest on the other forbidden claims

    def is_broken(self, believed: Sequence[bool]) -> bool:
        """Whether the rule is broken by what is believed of each claim."""
        return float(self.strength(torch.tensor(believed, dtype=torch.float32))) > 0.5


def rule_loss(
    ties: Mapping[str, Tie], examples: Sequence[ClaimExample], logits: Float[Tensor, " batch"]
) -> Float[Tensor, ""]:
    """The mean loss over the ties whose groups are among the examples; 0 where none is.

    Args:
        ties: by group.
        examples: of one batch, groups whole and in order.
        logits: of the sentences; a denial is turned round, as rules speak of triples.
    """
    rows: dict[str, list[int]] = {}
    for row, example in enumerate(examples):
        if example.group in ties:
            rows.setdefault(example.group, []).append(row)
    if not rows:
        return logits.new_zeros(())
    turned = torch.tensor([-1.0 if example.negated else 1.0 for example in examples], device=logits.device)
    p = torch.sigmoid(logits.float() * turned)
    broken = torch.stack([ties[group].strength(p[members]) for group, members in rows.items()])
    return -(1 - broken).clamp(min=_LEAST).log().mean()


def tie_claims(
    closure: Closure,
    examples: Sequence[ClaimExample],
    *,
    count: int,
    seed: int,
    hidden: Collection[IdTriple] = (),
) -> tuple[list[ClaimExample], dict[str, Tie]]:
    """The examples with claims that rules tie together, and the ties by group.

    A claim without a label (NaN) is drawn; of the given triples that it rests on, some become claims too: one of the
    examples where there is one, else a new one, whose sentence denies the triple half of the time, so that what is
    new has no label more often than the other.

    Args:
        closure: of the graph and its rules.
        examples: labelled claims; those that are tied get a group, each one only.
        count: claims to draw (see `generate_examples`); some of them rest on nothing that can be a claim.
        seed: of the draw.
        hidden: triples nothing may rest on.

    Raises:
        InputError: no claim could be tied.
    """
    visible = _without(closure, hidden)
    phrases = Phrases(visible.graph, np.random.default_rng(seed))
    sayable = {(int(s), int(p), int(o)) for s, p, o in visible.graph.entity_triples(inferred=False)}
    result = list(examples)
    free = {e.triple: at for at, e in enumerate(result) if e.triple is not None and not e.group}
    taken = {example.triple for example in examples} - set(free)
    drawn = generate_examples(visible, count=count, seed=seed, held_out=hidden)
    prover = _Prover(visible, [claim.triple for claim in drawn if claim.kind == "contradicted"])
    ties: dict[str, Tie] = {}
    for claim in drawn:
        if claim.triple is None or claim.kind == "corrupted" or claim.triple in free or claim.triple in taken:
            continue
        proved = prover.tie(claim.triple, claim.kind == "entailed", sayable - taken)
        if proved is None:
            continue
        tie, members = proved
        name = f"tie {len(ties)}"
        ties[name] = tie
        for leaf in members:
            at = free.pop(leaf, None)
            known = phrases.example(leaf, "entailed", 0.5) if at is None else result[at]
            # At the end, so that the claims of a group are in the order of the tie.
            result.append(replace(known, group=name))
            if at is not None:
                result[at] = _MOVED
        result.append(replace(claim, label=float("nan"), group=name))
        taken |= {*members, claim.triple}
    if not ties:
        raise InputError(
            "Expected claims that follow from given triples, or contradict them (got none by these rules); "
            "train without 'rule_loss', or draw more"
        )
    return [example for example in result if example is not _MOVED], ties


def _without(closure: Closure, hidden: Collection[IdTriple]) -> Closure:
    given = [ids for ids in hidden if closure.graph.asserted.contains(*ids)]
    return closure.retract([closure.graph.decode(*ids) for ids in given]) if given else closure


class _Prover:
    """Proofs of claims, and of what the false ones break, all of which are put into one world."""

    def __init__(self, visible: Closure, false: Sequence[IdTriple | None]) -> None:
        graph = visible.graph
        self._visible, self._graph = visible, graph
        self._false = {ids: graph.decode(*ids) for ids in false if ids is not None}
        self._world = visible.add(self._false.values()) if self._false else visible
        self._broken: dict[IdTriple, tuple[Violation, list[IdTriple]]] = {}
        for violation in self._world.violations_not_in(visible) if self._false else ():
            leaves = self._encoded(violation.proof)
            guilty = [leaf for leaf in leaves if leaf in self._false]
            if len(guilty) == 1:
                self._broken.setdefault(guilty[0], (violation, leaves))

    def tie(self, triple: IdTriple, entailed: bool, sayable: Collection[IdTriple]) -> tuple[Tie, list[IdTriple]] | None:
        """A tie and the given triples in it; None where it does not hang on any, as there is a proof without."""
        if not entailed and triple not in self._broken:
            return None
        target: Target
        if entailed:
            target = self._graph.decode(*triple)
            leaves = self._encoded(self._visible.proof(target))
        else:
            target, leaves = self._broken[triple]
        members = [leaf for leaf in leaves if leaf in sayable and leaf != triple][:_MOST]
        if not members:
            return None
        index = {self._graph.decode(*leaf): at for at, leaf in enumerate(members)}
        if not entailed:
            index |= dict.fromkeys(self._false.values(), len(members) + 1) | {self._false[triple]: len(members)}
        try:
            weigh = SoftRules(self._visible if entailed else self._world, [target], index)
        except BudgetError:  # too many ways to follow: nothing hangs on a few claims
            return None
        without = torch.tensor([0.0] * len(members) + [1.0, 0.0])
        return None if float(weigh(without)) > 0 else (Tie(entailed, weigh), members)

    def _encoded(self, proof: Proof) -> list[IdTriple]:
        """The asserted triples it rests on."""
        return [ids for leaf in proof.leaves() if (ids := self._graph.encode(leaf)) is not None]
