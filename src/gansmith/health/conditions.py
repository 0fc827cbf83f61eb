"""How a game can be: what each verdict means, and what a person can do about it, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

WARMING_UP, HEALTHY, NO_FAULT = "warming up", "healthy", "no fault found"
NAN = "not a number"


@dataclass(frozen=True)
class Condition:
    meaning: str
    advice: str = ""


CONDITIONS: dict[str, Condition] = {
    WARMING_UP: Condition("Too little has been seen to tell."),
    HEALTHY: Condition("Both players learn, and neither of them wins for good."),
    NO_FAULT: Condition("Nothing in these figures speaks against it; they don't tell all."),
    NAN: Condition(
        "A loss or a weight has become NaN or infinite; from there on every step would be lost.",
        "Look for broken values in the data; try a lower lr, --precision fp32, or clip=1.",
    ),
    "data problem": Condition(
        "The real examples themselves are not what a game can be played with.",
        "Run `gansmith inspect` on the data, and look at samples/real.png.",
    ),
    "weights lost": Condition(
        "A layer lost most of its weights from one moment to the next, as from a broken file, a "
        "faulty memory or a bug.",
        "Go back to an earlier checkpoint; if it comes again, test the machine's memory.",
    ),
    "generator stuck": Condition(
        "The generator no longer learns: its weights stand still, or what it makes does not improve.",
        "See that its weights are trained and its learning rate is not 0; weaken the discriminator.",
    ),
    "discriminator stuck": Condition(
        "The discriminator's weights stand still, so the generator has nobody to learn from.",
        "See that its weights are trained and its learning rate is not 0.",
    ),
    "exploding": Condition(
        "Losses or gradients grow without bound.",
        "Lower both learning rates, set clip=1, or add a penalty (r1=1).",
    ),
    "mode collapse": Condition(
        "The generator makes few different things, whatever noise it is given.",
        "Lower lr, raise r1, add augmentation, or a larger latent_size; more data where there is "
        "little.",
    ),
    "discriminator overpowering": Condition(
        "The discriminator wins so clearly that the generator learns nothing from it (convergence "
        "failure).",
        "Begin afresh with r1=1 to 3; or lower d_lr, add instance noise, or make the "
        "discriminator smaller.",
    ),
    "generator overpowering": Condition(
        "The generator fools a discriminator that does not keep up, so nothing makes it improve.",
        "Lower lr, raise d_lr or d_steps, or make the discriminator larger.",
    ),
    "oscillating": Condition(
        "The players overshoot: each step undoes what the one before had learnt.",
        "Lower both learning rates, use a larger batch_size, or a smaller beta1.",
    ),
    "discriminator memorising": Condition(
        "The discriminator knows its training examples by heart: it judges those it has not seen "
        "as it judges fakes, and its advice gets worse.",
        "Augment both players' pictures (augment, augment_target=0.6), or get more data.",
    ),
    "augmentation leak": Condition(
        "The generator is shown augmented pictures as real ones, and learns to make such.",
        "Use augment (both players, at most 0.8) in place of data.flip and data.affine.",
    ),
    "players unequal": Condition(
        "One network is so much larger than the other that it will probably win.",
        "Use discriminator_filters of about generator_filters.",
    ),
    "batch too small": Condition(
        "Gradients of so few examples are mostly noise, and so are the statistics of batch norm.",
        "Use a batch_size of 16 or more.",
    ),
    "checkerboard": Condition(
        "What is generated carries a grid that real pictures do not have.",
        "Train longer; if it stays, use a recipe whose network resizes and convolves (fast).",
    ),
    "colours off": Condition(
        "What is generated is too dark, too bright, or of another colour on the whole.",
        "Train longer; if it stays, lower both learning rates or weaken the discriminator.",
    ),
    "getting worse": Condition(
        "The score has fallen well behind the best that this run had.",
        "Stop here: the best checkpoint is kept. A longer lr_decay or a lower lr lasts longer.",
    ),
}
