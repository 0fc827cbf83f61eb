"""How often to augment: as much as the discriminator over-fits, and no more."""

from __future__ import annotations

import torch
from torch import Tensor

from gansmith.config import Config


class Odds:
    """The probability `p` (a tensor on the device) of each augmentation, constant or adaptive.

    Adaptive discriminator augmentation (Karras et al. 2020, §3.1): r_t = E[sign D(x)] over real
    training examples is 0 where the discriminator can't tell them from generated ones, and 1 once
    it knows them all by heart. `p` starts at 0, rises while r_t is above `augment_target`, falls
    while it is below, and stays within `augment_p`. Each batch gives one vote, of a step that takes
    `p` from 0 to 1 in `augment_kimg` thousand images; reading it never waits for the device.
    """

    def __init__(self, config: Config, device: torch.device):
        self.config = config
        self.adaptive = bool(config.augment and config.augment_target)
        self.p = torch.tensor(0.0 if self.adaptive else config.augment_p, device=device)

    def update(self, real_sign: Tensor) -> None:
        """`real_sign`: the batch's mean sign of D's logits on real examples."""
        config = self.config
        if self.adaptive:
            step = config.batch_size / (1000 * config.augment_kimg)
            self.p += step * torch.sign(real_sign - config.augment_target)
            self.p.clamp_(0, config.augment_p)
