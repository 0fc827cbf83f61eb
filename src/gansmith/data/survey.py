"""A cheap first look at a source: enough to choose a recipe and a size."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median_low

from gansmith.data import pictures
from gansmith.data.source import Item, Kind, Skipped, Source, sample
from gansmith.errors import GansmithError


@dataclass(frozen=True)
class Survey:
    """What a sample of at most 256 items tells.

    Attributes:
        kind: "pictures", "points" or "words".
        count: how many items there are in all, unreadable ones included.
        height, width: pixels, the medians of the sample; None for points.
        same_size: whether all pictures of the sample have that size.
        colour: whether any picture of the sample has colour.
        classes: the name of each class, or None where there are no labels.
        dimension: of a point; None for pictures.
    """

    kind: Kind
    count: int
    height: int | None
    width: int | None
    same_size: bool
    colour: bool
    classes: list[str] | None
    dimension: int | None


def survey(source: Source) -> Survey:
    """Look at up to 256 items spread over the source.

    Raises:
        GansmithError: not one of them is a readable picture.
    """
    if source.kind == "points":
        return _survey_points(source)
    sizes, colour, skipped = [], False, []
    for item in sample(source):
        try:
            if isinstance(item, Skipped):
                raise GansmithError(item.reason)
            with pictures.open_picture(item.content) as picture:
                size = pictures.size_upright(picture)
            colour = colour or not pictures.is_grey(item.content)
            sizes.append(size)
        except Exception as error:  # as in decoding: a stranger's file raises anything
            skipped.append(f"{item.name}: {pictures.reason_for(error)}")
    if not sizes:
        raise GansmithError(
            f"None of the first {len(skipped)} pictures looked at in {source.name} can be read: "
            f"{'; '.join(skipped[:3])}."
        )
    return Survey(
        kind=source.kind,
        count=len(source),
        height=median_low(height for _, height in sizes),
        width=median_low(width for width, _ in sizes),
        same_size=len(set(sizes)) == 1,
        colour=colour,
        classes=source.classes,
        dimension=None,
    )


def _survey_points(source: Source) -> Survey:
    first = next(iter(source))
    dimension = len(first.content) if isinstance(first, Item) else None
    return Survey("points", len(source), None, None, False, False, source.classes, dimension)
