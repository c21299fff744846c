"""The training loop."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rewriting.generators import Generator
from rewriting.generators.precision import fast_dtype
from weights.scenes import SCENES
from weights.training import checkpoint, losses
from weights.training.critic import Critic
from weights.training.evaluate import HeldOut
from weights.training.mapping import held
from weights.training.muon import Muon, descend
from weights.training.pool import Pool
from weights.training.schedule import Schedule
from weights.training.settings import SUBJECTS, Settings
from weights.training.trainee import Trainee, trainee_of

log = logging.getLogger(__name__)


class Trainer:
    """Trains one generator on one scene.

    out: the generator repo to write.  resume: a folder whose training state, if any, is continued.
    """

    def __init__(
        self,
        scene: str,
        generator: Generator,
        settings: Settings,
        out: Path,
        device: torch.device,
        resume: Path | None = None,
    ):
        self.scene, self.settings, self.out = SCENES[scene], settings, out
        self.dtype = fast_dtype(device)
        generator.compute_dtype = self.dtype
        self.trainee = trainee_of(generator.to(device), settings.keep)
        self.average = copy.deepcopy(self.trainee).requires_grad_(False)
        hold(generator, held(generator, self.scene))
        self.label_loss = losses.LabelLoss(self.trainee.channels, len(self.scene.labels)).to(device)
        self.emphasis = losses.Emphasis(self.scene.labels, SUBJECTS[scene].emphasis).to(device)
        self.optimizers = optimizers_of(self.trainee, self.label_loss, settings.rate, self.dtype)
        self.critic = None
        if settings.adversarial_from < 1:
            self.critic = Critic(
                settings.size, self.trainee.channels, settings.window, settings.r1, device, self.dtype
            )
        self.steps, self.seen, self.rows = 0, 0, []
        if resume:
            self._take_up(checkpoint.read_state(resume, device))
        compiled = torch.compile if settings.compile else _as_it_is
        self.forward = compiled(self.trainee) if self.trainee.compiles else self.trainee
        render = compiled(self.scene.render, dynamic=False)
        self.pool = Pool(self.scene, settings.size, settings.pool, settings.chunk, device, render)
        self.held_out = HeldOut(self.scene, settings.size, settings.held_out, device, render, settings.chunk)

    def run(self) -> None:
        """Train until the budget is used up; the generator is saved on the way and at the end."""
        for _ in range(self.settings.fill):
            self.pool.add()
        log.info("%s: %d scenes drawn", self.scene.name, self.pool.count)
        schedule, before = Schedule(self.settings), self.seen
        while (share := schedule.share(self.seen - before)) < 1:
            size = schedule.size(share)
            adversarial = size == self.settings.size and share >= self.settings.adversarial_from
            loss = self.step(size, schedule.rate(share, self.steps), adversarial=adversarial)
            if self.steps % self.settings.evaluate_every == 0:
                self._report(schedule, self.seen - before, size, loss.item())
            if self.steps % self.settings.save_every == 0:
                self.save(size)
        self._report(schedule, self.seen - before, size, loss.item())
        self.save(size)

    def step(self, size: int, rate: float, *, adversarial: bool = False) -> Tensor:
        """One step on a batch at a side of `size`; returns the loss, a scalar."""
        settings = self.settings
        if self.steps % settings.render_every == 0:
            self.pool.add()
        z, true, label = self.pool.draw(settings.batch)
        true = F.avg_pool2d(true, settings.size // size)
        taps = [side for side in losses.TAPS if side > settings.keep]
        drawn, features = self.forward(z, size, taps)
        edges = settings.edges if size == settings.size else 0.0
        loss = losses.reconstruction(drawn, true, self.emphasis(label, size), edges)
        loss = loss + settings.label * self.label_loss(features, label)
        if adversarial:
            drawn, true = self.critic.windows(drawn, true)
            loss = loss + settings.adversarial * self.critic.generator_loss(drawn)
        descend([(optimizer, rate) for optimizer in self.optimizers], loss)
        if adversarial:
            self.critic.step(drawn, true)
        self.steps, self.seen = self.steps + 1, self.seen + settings.batch
        self._update_average()
        return loss.detach()

    def save(self, size: int) -> None:
        """Write the averaged generator, the training state, and a sheet of true and generated pictures."""
        checkpoint.write_averaged(self.average.generator, self.scene, self.out)
        checkpoint.write_state(self.out, self._state())
        self.held_out.sheet(self.average, size).save(self.out.with_name(self.out.name + "-sheet.png"))
        self.out.with_name(self.out.name + "-log.json").write_text(json.dumps(self.rows, indent=1) + "\n")

    @torch.no_grad()
    def _update_average(self) -> None:
        keep = 0.5 ** (self.settings.batch / self.settings.half_life)
        keep = min(keep, self.steps / (self.steps + 9))  # a young run averages over what there is
        for mean, present in zip(self.average.parameters(), self.trainee.parameters(), strict=True):
            mean.lerp_(present, 1 - keep)

    def _report(self, schedule: Schedule, seen: int, size: int, loss: float) -> None:
        share, decibels = schedule.share(seen), self.held_out.psnr(self.average, size)
        self.rows.append({"step": self.steps, "pictures": self.seen, "size": size, "loss": loss, "psnr": decibels})
        log.info(
            "%s %3.0f %%  %d px  %d pictures  %.0f/s  loss %.3f  %.2f dB  %.0f min left",
            *(self.scene.name, 100 * min(share, 1), size, self.seen, seen / schedule.elapsed, loss, decibels),
            max(0.0, schedule.left(share)) / 60,
        )

    def _parts(self) -> dict[str, Any]:
        """All objects with a state, by name."""
        parts = {
            "trainee": self.trainee,
            "average": self.average,
            "label_loss": self.label_loss,
            "critic": self.critic,
        }
        optimizers = {f"optimizer_{i}": optimizer for i, optimizer in enumerate(self.optimizers)}
        return {name: part for name, part in {**parts, **optimizers}.items() if part is not None}

    def _state(self) -> dict[str, Any]:
        counts = {"size": self.settings.size, "keep": self.settings.keep, "steps": self.steps, "seen": self.seen}
        return counts | {name: part.state_dict() for name, part in self._parts().items()}

    def _take_up(self, state: dict[str, Any] | None) -> None:
        """Continue from a state, if it belongs to a generator of this size.

        If other layers are frozen than before, the optimizers start anew, because their states belong to other
        parameters.
        """
        if state is None or state["size"] != self.settings.size:
            return
        anew = state.get("keep", self.settings.keep) != self.settings.keep
        for name, part in self._parts().items():
            if name in state and not (anew and isinstance(part, torch.optim.Optimizer)):
                part.load_state_dict(state[name])
        self.steps, self.seen = state["steps"], state["seen"]


def optimizers_of(
    trainee: Trainee, label_loss: nn.Module, rate: float, dtype: torch.dtype
) -> list[torch.optim.Optimizer]:
    """Muon for the kernels and matrices between the first features and the last; Adam for all other parameters."""
    muon, adam = [], list(label_loss.parameters())
    for name, parameter in trainee.named_parameters():
        if parameter.requires_grad:
            hidden = parameter.dim() >= 2 and not trainee.is_output(name) and not name.endswith("input.input")
            (muon if hidden else adam).append(parameter)
    return [Muon(muon, rate, dtype=dtype), torch.optim.Adam(adam, rate, betas=(0.9, 0.99))]


def hold(generator: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Freeze the masked parts of parameters, by blocking their gradients.

    masks: {name: bool, of the parameter's shape}, whole rows and columns of a kernel, because Muon mixes the others.
    """
    for name, mask in masks.items():
        parameter = generator.get_parameter(name)
        if parameter.requires_grad:
            parameter.register_hook(lambda gradient, mask=mask: gradient.masked_fill(mask, 0.0))


def _as_it_is(function, **_):  # noqa: ANN001, ANN202 - in the place of torch.compile
    return function
