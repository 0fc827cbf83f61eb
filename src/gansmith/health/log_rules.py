"""The table by which another trainer's game is judged, from what its log holds."""

from __future__ import annotations

from gansmith.health.rules import Rule, Severity, above, below, rule

WARNING, FAILED = Severity.WARNING, Severity.FAILED

# For logs that hold nothing but losses (and perhaps means of D), of any common scale. `cost` is a
# loss of a game in which none is ever negative. The log of PyTorch's tutorial, which went well, swings
# by 73 %: single batches do more than the means in our own records.
LOG_RULES: tuple[Rule, ...] = (
    rule(
        "discriminator overpowering",
        FAILED,
        above("steps", 300, "after {:,.0f} steps"),  # at first even good games look like this
        below("cost_d", 0.05, "the discriminator's loss is {:.2g}"),
        above("cost_g", 4.0, "the generator's {:.3g}"),
        lasting=15,
    ),
    rule(
        "data problem",
        FAILED,
        below("cost_d", 0.05, "the discriminator's loss is {:.2g}"),
        below("cost_g", 0.05, "and the generator's {:.2g}: rivals can't both win. Labels swapped?"),
        lasting=15,
    ),
    rule(
        "generator overpowering",  # a hinge game at its rest has 2 and 0
        FAILED,
        above("cost_d", 2.5, "the discriminator's loss is {:.3g}"),
        below("cost_g", 0.1, "the generator's {:.2g}"),
        lasting=15,
    ),
    rule(
        "exploding",
        FAILED,
        above("loss_size", 50.0, "a loss is {:.3g} in size"),
        lasting=5,
    ),
    rule(
        "generator stuck",
        FAILED,
        below("motion", 1e-4, "neither loss moves (by {:.1g} at most)"),
        lasting=15,
    ),
    rule(
        "discriminator overpowering",
        WARNING,
        below("cost_d", 0.15, "the discriminator's loss is {:.2g}"),
        above("cost_g", 3.0, "the generator's {:.3g}"),
        lasting=15,
    ),
    rule(
        "oscillating",
        WARNING,
        above("swing", 0.8, "the losses swing by {:.0%} of their mean"),
        lasting=5,
    ),
    rule(
        "mode collapse",
        FAILED,
        below(
            "tile_spread", 0.35, "pictures of the sheet differ {:.0%} as much as they have detail"
        ),
    ),
    rule(
        "mode collapse",
        WARNING,
        below("tile_modes", 0.6, "only {:.0%} of the sheet's pictures differ from one another"),
    ),
)
