"""What a run notes while it trains: means of the losses, samples of fixed noise, a score."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from gansmith.config import Config, DataSpec
from gansmith.generate import to_values
from gansmith.health import Health
from gansmith.judge import Judge
from gansmith.players import Players
from gansmith.run import RunFolder
from gansmith.stream import Stream
from gansmith.vitals import Probe
from gansmith.word_stream import SHEET

LOSSES = ("loss_d", "loss_g")
FIGURES = (
    *LOSSES,
    *("d_real", "d_fake", "d_fake_after", "logit_real", "logit_fake", "right_real", "right_fake"),
    *("told", "clipped"),
)
# Of words: the recogniser on real ones and on generated ones, and styles' being found again.
READING = ("loss_r", "loss_read", "loss_style")


class Meter:
    """Means over the steps since the last reading, summed on the device: reading is what waits.

    A figure that a step does not have does not count in that step.
    """

    def __init__(self, device: torch.device, names: tuple[str, ...] = FIGURES):
        self.names = names
        self.sums = torch.zeros(len(names) + len(LOSSES), device=device)
        self.counts = torch.zeros(len(names), dtype=torch.int64)

    def add(self, figures: Mapping[str, Tensor]) -> None:
        none = self.sums.new_zeros(())
        found = torch.stack([figures.get(name, none) for name in self.names])
        self.sums += torch.cat([found, found[: len(LOSSES)].square()])
        self.counts += torch.tensor([name in figures for name in self.names])

    def means(self) -> dict[str, float]:
        """Means, and the losses' standard deviations as ``…_sd``.

        NaN in any step since the last reading shows here: sums do not forget it.
        """
        sums, counts = self.sums.tolist(), self.counts.tolist()
        found = {n: s / c for n, s, c in zip(self.names, sums, counts, strict=False) if c}
        for number, name in enumerate(LOSSES):
            square = sums[len(self.names) + number] / max(1, counts[number])
            found[f"{name}_sd"] = math.sqrt(max(0.0, square - found.get(name, 0.0) ** 2))
        return found

    def clear(self) -> None:
        self.sums.zero_()
        self.counts.zero_()


class Observer:
    """Decides what is due after a step, measures it, and hands it to the run folder."""

    def __init__(
        self,
        config: Config,
        spec: DataSpec,
        run: RunFolder,
        stream: Stream,
        players: Players,
        judge: Judge,
        device: torch.device,
    ):
        self.config, self.spec, self.run, self.stream = config, spec, run, stream
        self.players, self.judge, self.device = players, judge, device
        self.meter = Meter(device, FIGURES + READING if spec.kind == "words" else FIGURES)
        self.probe = Probe(config, spec, stream, players)
        self.health = Health()
        self.latest: dict[str, float] = {}
        self.score: float | None = None
        self.board: Any = None
        self._last_time = (0, 0.0)

    def tensors(self) -> dict[str, Tensor]:
        """The running sums, so that a resumed run's next means are those of an unbroken one."""
        return {
            "meter.sums": self.meter.sums,
            "meter.counts": self.meter.counts,
            **self.probe.motion.tensors(),
        }

    def restore(self, tensors: Mapping[str, Tensor], images: int, seconds: float) -> None:
        """Take over a checkpoint's sums, and what the records before it say of the run's health."""
        self.meter.sums.copy_(tensors["meter.sums"])
        self.meter.counts.copy_(tensors["meter.counts"])
        self.probe.motion.restore(tensors)
        self._last_time = (images, seconds)

    def open(self, step: int) -> None:
        """Start writing; a run that begins leaves what noise and data look like first, one that goes
        on learns from its records how it was."""
        for record in self.run.records():
            self.health.see(record)
        from tensorboardX import SummaryWriter  # slow to import, and not needed to plan a run

        self.board = SummaryWriter(str(self.run.tensorboard), purge_step=step)
        if step == 0:
            self.run.write_samples("real", self._real(), self._columns)
            self._sample(0)

    def close(self) -> None:
        if self.board is not None:
            self.board.close()

    @property
    def probing(self) -> int:
        """Steps between probes: whole records."""
        every = self.config.log_every
        return -(-self.probe.interval // every) * every

    def due(self, step: int, last: bool) -> bool:
        config = self.config
        # At checkpoints too, though they may have nothing to write: nothing is saved unchecked.
        every = (config.log_every, config.sample_every, config.checkpoint_every)
        return last or any(step % n == 0 for n in (*every, self.judge.interval, self.probing))

    def not_finite(self) -> list[str]:
        """Which losses since the last reading, or weights now, are not numbers."""
        wrong = [name for name, value in self.meter.means().items() if not math.isfinite(value)]
        return wrong or ([] if self.players.all_finite() else ["a weight"])

    def write(self, step: int, images: int, seconds: float, last: bool) -> None:
        """Write what is due at `step`: figures, samples, score."""
        record: dict[str, Any] = {"step": step, "images": images, "seconds": round(seconds, 3)}
        if last or step % self.config.log_every == 0:
            record |= self._figures(images, seconds)
        if last or step % self.probing == 0:
            record |= self.probe.take(step)
        self.score = None
        if last or step % self.judge.interval == 0:
            record |= self._evaluation()
        change = self._verdict(record) if len(record) > 3 else {}
        if len(record) > 3:
            self._append(record | change)
        if last or step % self.config.sample_every == 0 or change.get("severity", "fine") != "fine":
            self._sample(step)  # a verdict that is not fine is given its picture

    def _verdict(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """What the record changes about the run's health; nothing where that stays as it was."""
        before, now = self.health.verdict, self.health.see(record)
        return {} if now.like(before) else now.to_record()

    def note_not_finite(self, step: int, images: int, seconds: float, wrong: list[str]) -> None:
        """Write that figures have become NaN: the last thing a run says, unless it is repaired."""
        record = {"step": step, "images": images, "seconds": round(seconds, 3), "not_finite": wrong}
        self._append(record | self._verdict(record))

    def restart(self, step: int, record: Mapping[str, Any]) -> None:
        """After a treatment: write it, and judge anew."""
        self.health.see(record)
        self._append(record)
        self.meter.clear()
        self.probe.motion.start(step)
        self.score = None  # of weights that are gone

    def _figures(self, images: int, seconds: float) -> dict[str, float]:
        images_before, seconds_before = self._last_time
        self._last_time = (images, seconds)
        elapsed = max(1e-9, seconds - seconds_before)
        means = self.meter.means()
        self.meter.clear()
        if not self.config.clip and not means["clipped"]:
            del means["clipped"]
        if self.players.odds.adaptive:
            means["augment_p"] = self.players.odds.p.item()
        self.latest.update(means)
        return {"images_per_second": round((images - images_before) / elapsed, 1), **means}

    def _append(self, record: Mapping[str, Any]) -> None:
        self.run.append(record)
        for name, value in record.items():
            if name not in ("step", "images", "seconds") and isinstance(value, (int, float)):
                self.board.add_scalar(name, value, record["step"])

    def _sample(self, step: int) -> None:
        """The averaged generator's answer to always the same noise."""
        with torch.no_grad():
            values = to_values(self._make(*self.stream.sheet(self._sheet_size)), self.spec)
        self.run.write_samples(f"step-{step:09d}", values, self._columns)
        if values.ndim == 4:
            self.board.add_images("samples", values, step, dataformats="NHWC")

    def _evaluation(self) -> dict[str, Any]:
        """The averaged generator's score, by what protocol, and what it cost."""
        begun = time.perf_counter()
        with torch.no_grad():
            self.score = self.latest["score"] = self.judge.score(self._make)
        seconds = round(time.perf_counter() - begun, 3)
        found = {
            "score": self.score,
            "protocol": self.judge.protocol,
            "evaluation_seconds": seconds,
        }
        if (shares := self.judge.shares) is not None:
            found |= {"rarest": self.judge.rarest, "shares": [round(s, 4) for s in shares.tolist()]}
        return found

    def _make(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        made: Tensor = self.players.ema.network(latents.to(self.device), labels)
        return made.float()

    def _real(self) -> Any:
        """Real examples in the places of generated ones: each under its class where there are any."""
        if not self.spec.classes:
            return to_values(self.stream.reference(self._sheet_size).real, self.spec)
        _, labels = self.stream.sheet(self._sheet_size)
        assert labels is not None
        return to_values(self.stream.reference_of(labels.cpu()).real, self.spec)

    @property
    def _columns(self) -> int | None:
        """With labels, a column a class (as long as the sheet stays about as wide as high); of words,
        a column a style."""
        if self.spec.kind == "words":
            return SHEET
        classes = self.spec.class_count
        return classes if 1 < classes <= 16 else None

    @property
    def _sheet_size(self) -> int:
        """As many as asked for, but whole rows."""
        count, columns = self.config.samples, self._columns
        return count - count % columns if columns and count > columns else count
