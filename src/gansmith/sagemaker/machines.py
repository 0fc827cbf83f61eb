"""What is known of AWS's instance types by their names."""

from __future__ import annotations

import re

GPU_FAMILIES = ("g", "p")  # ml.g5.xlarge, ml.p4d.24xlarge
# Those with several GPUs, by family and size; all others with GPUs have one, or are not known.
SEVERAL = {
    **{f"ml.{family}.12xlarge": 4 for family in ("g4dn", "g5", "g6", "g6e")},
    **{f"ml.{family}.24xlarge": 4 for family in ("g5", "g6", "g6e")},
    **{f"ml.{family}.24xlarge": 8 for family in ("p3dn", "p4d", "p4de")},
    **{f"ml.{family}.48xlarge": 8 for family in ("g5", "g6", "g6e", "p5", "p5e", "p5en")},
    **{"ml.p3.8xlarge": 4, "ml.p3.16xlarge": 8, "ml.p2.8xlarge": 8, "ml.p2.16xlarge": 16},
    **{"ml.p6-b200.48xlarge": 8, "ml.p6-b300.48xlarge": 8},
}
ARM = re.compile(r"ml\.([cmrtx]\d+g|p6e-gb)")  # Graviton's families, and Grace's


def has_gpu(instance_type: str) -> bool:
    return instance_type.removeprefix("ml.").startswith(GPU_FAMILIES)


def processes(instance_type: str) -> int:
    """How many play there at least: one for each GPU that is known of."""
    return SEVERAL.get(instance_type, 1)


def is_arm(instance_type: str) -> bool:
    return ARM.match(instance_type) is not None
