"""What was trained is not trained again."""

from __future__ import annotations

from pathlib import Path

import pytest

from gansmith.metrics.kept import Kept


class Counted:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> list[int]:
        self.calls += 1
        return [self.calls, 2]


def test_the_same_question_is_answered_once(tmp_path: Path) -> None:
    kept, make = Kept(tmp_path / "new"), Counted()
    assert kept.get({"seed": 1, "arm": "A"}, make) == [1, 2]
    assert Kept(tmp_path / "new").get({"arm": "A", "seed": 1}, make) == [1, 2]
    assert make.calls == 1
    assert kept.get({"seed": 2, "arm": "A"}, make) == [2, 2]


@pytest.mark.parametrize("content", ["", "[]", '{"numbers": [1, true]}', '{"numbers": 1}', "[" * 9])
def test_what_is_damaged_is_made_again(tmp_path: Path, content: str) -> None:
    kept, make = Kept(tmp_path), Counted()
    kept.get({"seed": 1}, make)
    (file,) = tmp_path.iterdir()
    file.write_text(content)
    assert kept.get({"seed": 1}, make) == [2, 2]
    assert kept.get({"seed": 1}, make) == [2, 2]


def test_what_was_cut_off_leaves_nothing(tmp_path: Path) -> None:
    def cut_off() -> list[int]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Kept(tmp_path).get({"seed": 1}, cut_off)
    assert list(tmp_path.iterdir()) == []


def test_without_a_folder_nothing_is_kept() -> None:
    make = Counted()
    assert [Kept().get({}, make), Kept().get({}, make)] == [[1, 2], [2, 2]]
