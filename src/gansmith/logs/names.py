"""What figures are called in the logs of other trainers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

Log = list[dict[str, float]]

# How the figures are called elsewhere: letters and digits only, in lower case, "losses" as "loss".
ALIASES: dict[str, tuple[str, ...]] = {
    "loss_d": (
        *("lossd", "dloss", "errd", "d", "disc", "discloss", "lossdisc", "discriminatorloss"),
        *("lossdiscriminator", "discriminator", "criticloss", "losscritic", "netd"),
    ),
    "loss_g": (
        *("lossg", "gloss", "errg", "g", "gen", "genloss", "lossgen", "generatorloss", "ganloss"),
        *("lossgenerator", "generator", "netg"),
    ),
    "loss_d_real": ("lossdreal", "dlossreal", "drealloss", "errdreal", "dr", "d1", "discreal"),
    "loss_d_fake": ("lossdfake", "dlossfake", "dfakeloss", "errdfake", "df", "d2", "discfake"),
    "d_real": ("dx", "dreal", "realscore", "scorereal"),
    "d_fake": ("dgz", "dgz1", "dfake", "fakescore", "scorefake"),
    "right_real": ("accreal", "realacc", "realaccuracy", "accuracyreal", "drealacc", "a1"),
    "right_fake": ("accfake", "fakeacc", "fakeaccuracy", "accuracyfake", "dfakeacc", "a2"),
}
STEPS = ("step", "steps", "iteration", "iter", "iterations", "globalstep")
# Of a name of several words the last may be the one that counts (``INFO train Loss_D``), unless
# those before make something else of it.
OTHERWISE = {"real", "fake", "best", "min", "max", "val", "test", "last"}


class Names:
    """What the names in a log stand for. `given` are those that were told for certain figures."""

    def __init__(self, given: Mapping[str, str]):
        self.given = given
        self.seen: dict[str, str | None] = {}

    def figure(self, name: str) -> str | None:
        """``loss_d``, ``step``, …; None of a name that says nothing here."""
        if name not in self.seen:
            self.seen[name] = self._told(name) or self._guess(name)
        return self.seen[name]

    def listed(self) -> str:
        """The names that were met, for a person."""
        names = [repr(name.strip()[:40]) for name in self.seen if name.strip()]
        more = f" and {len(names) - 8:,} more" if len(names) > 8 else ""
        return f"{', '.join(names[:8]) or 'none'}{more}"

    def _told(self, name: str) -> str | None:
        name = name.strip()
        for figure, given in self.given.items():
            if name == given or name.endswith(f" {given}"):
                return figure
        return None

    def _guess(self, name: str) -> str | None:
        for part in (name, name.rpartition("/")[2]):  # TensorBoard's tags have paths
            if figure := self._alias(part):
                return figure
        words = name.split()
        for count in (3, 2, 1):
            before, last = words[:-count], "".join(words[-count:]).lower()
            if before and ("loss" in last or "err" in last):
                other = OTHERWISE & {word.lower() for word in before}
                if figure := self._alias(last):
                    return None if other else figure
        return None

    def _alias(self, name: str) -> str | None:
        plain = re.sub(r"[^a-z0-9]", "", name.lower()).replace("losses", "loss")
        if plain in STEPS:
            return "step"
        found = (figure for figure, aliases in ALIASES.items() if plain in aliases)
        return next((figure for figure in found if figure not in self.given), None)


def named(pairs: Iterable[tuple[str | None, str]]) -> dict[str, float]:
    """The figures among ``(figure, text)``, and their ``step`` if told; the first of each counts."""
    found: dict[str, float] = {}
    for figure, text in pairs:
        if figure is None or figure in found:
            continue
        try:
            found[figure] = float(text)
        except ValueError:
            continue
    return found
