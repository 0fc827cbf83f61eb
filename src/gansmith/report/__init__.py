"""The report: from a run folder's files to pictures and one page that a person opens first.

Nothing comes from memory, so a report can be made again at any time, of a run that was killed as
of one that is finished, and the same files give the same report.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gansmith.checkpoint import write_atomically
from gansmith.errors import GansmithError
from gansmith.imaging import png_bytes
from gansmith.report import film, page, plots
from gansmith.report.story import Story, read_story

__all__ = ["write_report"]

# Everything a report can consist of. What this run has nothing for is removed, so that no picture
# of an earlier state is left lying about.
FILES = (
    *(f"plots/{name}.png" for name in plots.NAMES),
    "plots/points.png",
    "samples.gif",
    "samples.mp4",
    "real-and-generated.png",
    "report.html",
)


def write_report(path: Path) -> Path:
    """Write `report.html`, plots and films of the run at `path`; returns the page's path.

    A damaged or missing file is left out of the report. Raises GansmithError where `path` is no
    run, or where the report can't be written.
    """
    path = Path(path)
    story = read_story(path)
    try:
        _write(path, _files(story))
    except OSError as error:
        where, reason = error.filename or path, error.strerror or error
        raise GansmithError(f"can't write the report: {where}: {reason}") from error
    return path / "report.html"


def _files(story: Story) -> dict[str, bytes]:
    reel = film.shoot(story)
    drawn = plots.draw(story)
    files = {f"plots/{name}.png": png_bytes(pair.light) for name, pair in drawn.items()}
    files |= film.files(reel)
    files["report.html"] = page.build(story, reel, drawn, sorted(files))
    return files


def _write(path: Path, files: Mapping[str, bytes]) -> None:
    for name in FILES:
        if name not in files:
            (path / name).unlink(missing_ok=True)
            continue
        (path / name).parent.mkdir(exist_ok=True)
        write_atomically(path / name, files[name])
