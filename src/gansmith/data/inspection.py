"""A thorough look at a source: what is in it, what is twice in it, and what can't be read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from gansmith.data import pictures
from gansmith.data.contact_sheet import SIDE, Sampler, draw_sheet
from gansmith.data.duplicates import THUMBNAIL, dhash, near_duplicates
from gansmith.data.parallel import map_items
from gansmith.data.pictures import Shape
from gansmith.data.source import Array, Item, Kind, Skipped, Source
from gansmith.data.transparency import is_transparent
from gansmith.errors import GansmithError

_KEEP = "laid on data.background, white by default; train with --set data.channels=alpha to keep it"


@dataclass(frozen=True)
class Inspection:
    """What is in a source.

    Attributes:
        name: what the source is called.
        kind: "pictures" or "points".
        count: how many items there are, unreadable ones included.
        sizes: how many pictures there are of each (width, height), most frequent first.
        modes: the same by colour mode as Pillow names it ("L", "RGB", "P", "I;16", …).
        formats: the same by file format ("PNG", …; "array" where there is none).
        colour: how many pictures have colour, whatever their mode says.
        transparent: how many have a pixel that is not opaque.
        animated: how many have more than one frame (the first is used).
        classes: how many there are of each class; None where there are no labels.
        imbalance: the largest class over the smallest; None where there are no labels.
        exact_duplicates: groups of names whose pixels are the same.
        near_duplicates: groups of names that look the same, beyond the exact ones.
        unreadable: what can't be used, and why.
        contact_sheet: where the sheet was written, if it was.
        dimension, low, high: of points, and their extremes along each axis; None for pictures.
    """

    name: str
    kind: Kind
    count: int
    sizes: dict[tuple[int, int], int] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    formats: dict[str, int] = field(default_factory=dict)
    colour: int = 0
    transparent: int = 0
    animated: int = 0
    classes: dict[str, int] | None = None
    imbalance: float | None = None
    exact_duplicates: list[list[str]] = field(default_factory=list)
    near_duplicates: list[list[str]] = field(default_factory=list)
    unreadable: list[Skipped] = field(default_factory=list)
    contact_sheet: Path | None = None
    dimension: int | None = None
    low: list[float] | None = None
    high: list[float] | None = None

    @property
    def usable(self) -> int:
        """How many items can be used."""
        return self.count - len(self.unreadable)

    def __str__(self) -> str:
        return describe(self)


@dataclass(frozen=True)
class _Seen:
    """What is kept of each picture."""

    size: tuple[int, int]
    mode: str
    format: str
    animated: bool
    colour: bool
    transparent: bool
    sha256: bytes
    dhash: int
    thumbnail: Array  # uint8 THUMBNAIL×THUMBNAIL, grey


def inspect_source(
    source: Source,
    *,
    contact_sheet: Path | None = None,
    background: str = "white",
    progress: Callable[[int, int], None] | None = None,
) -> Inspection:
    """Look at every item of a source.

    Args:
        source: what to look at.
        contact_sheet: where to write a PNG with up to 100 of the pictures, a row a class where
            there are few classes; nowhere if None.
        background: the colour transparent pictures are flattened on.
        progress: called with (done, total) now and then.

    Raises:
        GansmithError: the source as a whole can't be read, or the sheet not be written.
    """
    pictures.check_background(background)
    if source.kind == "points":
        return _inspect_points(source)
    seen: list[tuple[str, int | None, _Seen]] = []
    unreadable: list[Skipped] = []
    sampler = Sampler(source.classes)
    for done, result in enumerate(map_items(partial(_look, background), source), start=1):
        if progress and (done % 256 == 0 or done == len(source)):
            progress(done, len(source))
        if isinstance(result, Skipped):
            unreadable.append(result)
            continue
        item, look = result
        if isinstance(look, str):
            unreadable.append(Skipped(item.name, look))
        else:
            seen.append((item.name, item.label, look[0]))
            sampler.offer(item.label, look[1])
    if contact_sheet and seen:
        draw_sheet(sampler, contact_sheet)
    return _summarise(source, seen, unreadable, contact_sheet if seen else None)


def describe(found: Inspection, most: int = 10) -> str:
    """Say what was found as text for a person, with at most ``most`` entries of each list."""
    lines = [f"{found.name}: {found.count:,} {found.kind}, {found.usable:,} usable"]
    if found.kind == "points":
        for axis, (low, high) in enumerate(zip(found.low or [], found.high or [], strict=True)):
            lines.append(f"axis {axis}: {low:.4g} … {high:.4g}")
    else:
        sizes = {f"{width}×{height}": count for (width, height), count in found.sizes.items()}
        lines.append(_counts("width × height", sizes, most))
        lines.append(_counts("colour modes", found.modes, most))
        lines.append(_counts("formats", found.formats, most))
        lines.append(f"with colour: {found.colour:,}; animated: {found.animated:,}")
        if found.transparent:
            lines.append(f"with transparency: {found.transparent:,} ({_KEEP})")
    if found.classes is not None:
        lines.append(_counts(f"{len(found.classes)} classes", found.classes, 2 * most))
        lines.append(f"the largest class is {found.imbalance or 1:.2g} times the smallest")
    if found.kind == "pictures":
        exact = [", ".join(group) for group in found.exact_duplicates]
        near = [", ".join(group) for group in found.near_duplicates]
        broken = [f"{skipped.name}: {skipped.reason}" for skipped in found.unreadable]
        lines += _list("groups of exact duplicates", exact, most)
        lines += _list("groups that look the same", near, most)
        lines += _list("unreadable", broken, len(broken))
    if found.contact_sheet:
        lines.append(f"contact sheet: {found.contact_sheet}")
    return "\n".join(lines)


def _counts(title: str, counts: dict[str, int], most: int) -> str:
    shown = [f"{name} ({count:,})" for name, count in list(counts.items())[:most]]
    more = f", and {len(counts) - most:,} more" if len(counts) > most else ""
    return f"{title}: {', '.join(shown)}{more}"


def _list(title: str, entries: list[str], most: int) -> list[str]:
    shown = [f"  {entry if len(entry) < 200 else entry[:199] + '…'}" for entry in entries[:most]]
    more = [f"  and {len(entries) - most:,} more"] if len(entries) > most else []
    return [f"{title}: {len(entries):,}", *shown, *more]


def _look(background: str, item: Item) -> tuple[_Seen, Image.Image] | str:
    """Return what is kept of a picture and a tile for the sheet, or why it can't be read."""
    try:
        return _look_closely(item, background)
    except Exception as error:  # strangers' files make decoders raise anything
        return pictures.reason_for(error)


def _look_closely(item: Item, background: str) -> tuple[_Seen, Image.Image]:
    with pictures.open_picture(item.content) as opened:
        mode, kind = opened.mode, opened.format or "array"
        animated = getattr(opened, "n_frames", 1) > 1
        loaded = pictures.load(opened)
        transparent = is_transparent(loaded)
        picture = pictures.upright(pictures.flatten(loaded, background, grey=False), opened)
    small = Shape(THUMBNAIL, THUMBNAIL, 1, "crop", background)
    tile = pictures.fit_picture(picture, Shape(SIDE, SIDE, 3, "pad", "#f4f4f4"))
    seen = _Seen(
        size=picture.size,
        mode=mode,
        format=kind,
        animated=animated,
        colour=not pictures.looks_grey(picture),
        transparent=transparent,
        sha256=hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).digest(),
        dhash=dhash(picture),
        thumbnail=np.asarray(pictures.fit_picture(picture.convert("L"), small)),
    )
    return seen, tile


def _summarise(
    source: Source,
    seen: list[tuple[str, int | None, _Seen]],
    unreadable: list[Skipped],
    contact_sheet: Path | None,
) -> Inspection:
    looks = [look for _, _, look in seen]
    exact, alone = _exact_duplicates(seen)
    near = near_duplicates(
        np.array([looks[n].dhash for n in alone], dtype=np.uint64),
        np.array([looks[n].thumbnail for n in alone]),
    )
    classes = _count_classes(source, [label for _, label, _ in seen])
    return Inspection(
        name=source.name,
        kind="pictures",
        count=len(source),
        sizes=dict(Counter(look.size for look in looks).most_common()),
        modes=dict(Counter(look.mode for look in looks).most_common()),
        formats=dict(Counter(look.format for look in looks).most_common()),
        colour=sum(look.colour for look in looks),
        transparent=sum(look.transparent for look in looks),
        animated=sum(look.animated for look in looks),
        classes=classes,
        imbalance=max(classes.values()) / max(1, min(classes.values())) if classes else None,
        exact_duplicates=exact,
        near_duplicates=[[seen[alone[n]][0] for n in group] for group in near],
        unreadable=unreadable,
        contact_sheet=contact_sheet,
    )


def _exact_duplicates(
    seen: list[tuple[str, int | None, _Seen]],
) -> tuple[list[list[str]], list[int]]:
    """Return the groups of equal pixels by name, and the index of one picture of each group."""
    groups: dict[bytes, list[int]] = {}
    for index, (_, _, look) in enumerate(seen):
        groups.setdefault(look.sha256, []).append(index)
    twice = [[seen[n][0] for n in group] for group in groups.values() if len(group) > 1]
    return twice, [group[0] for group in groups.values()]


def _count_classes(source: Source, labels: list[int | None]) -> dict[str, int] | None:
    if source.classes is None:
        return None
    counted = Counter(labels)
    return {name: counted[number] for number, name in enumerate(source.classes)}


def _inspect_points(source: Source) -> Inspection:
    items = [item for item in source if isinstance(item, Item)]
    if not items:
        raise GansmithError(f"Expected points in {source.name}, but it holds none.")
    points = np.stack([np.asarray(item.content) for item in items])
    return Inspection(
        name=source.name,
        kind="points",
        count=len(source),
        classes=_count_classes(source, [item.label for item in items]),
        dimension=points.shape[1],
        low=points.min(axis=0).tolist(),
        high=points.max(axis=0).tolist(),
    )
