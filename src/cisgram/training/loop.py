"""The training loop; there is one."""

import math
import multiprocessing
import re
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from lightning_fabric import Fabric
from lightning_fabric.wrappers import _FabricModule  # pyright: ignore[reportPrivateUsage]

from cisgram.core.checks import ConfigError, DataError
from cisgram.core.executor import leave_with_parent
from cisgram.core.progress import progress
from cisgram.models.base import Model
from cisgram.models.hub import save_model
from cisgram.training.checkpoint import RunState, load_checkpoint, save_checkpoint
from cisgram.training.config import OptimConfig, TrainConfig
from cisgram.training.optim import learning_rate, make_optimizer
from cisgram.training.record import Record
from cisgram.training.task import Learning, to_device

CHECKPOINT, METRICS, MODEL = "checkpoint.safetensors", "metrics.jsonl", "model"
_VALIDATION_BATCH = 16
_OUT_OF_MEMORY = re.compile(r"out of memory|not enough memory|can't allocate memory", re.IGNORECASE)


def fit(
    model: Model,
    task: Learning,
    out: Path,
    *,
    config: TrainConfig,
    optim: OptimConfig,
    card: dict[str, Any],
    devices: int = 1,
) -> RunState:
    """Train until the last step, or until validation no longer improves.

    `out` gets `metrics.jsonl`, `checkpoint.safetensors`, from which the same call goes on, bit for
    bit, and `model`, the weights of the lowest validation loss, with the facts of `card`.

    Args:
        model: starts from its present weights, or from the checkpoint's.
        task: data set and loss.
        out: directory of the run.
        config: length, batch and rhythm.
        optim: optimiser and learning rate.
        card: facts about the run.
        devices: processes on CPU, or GPUs where there are some; gradients are averaged.

    Raises:
        DataError: the loss is not finite, or the checkpoint cannot be used.
        ConfigError: memory ran out.
    """
    strategy = "ddp_spawn" if devices > 1 else "auto"
    fabric = Fabric(
        accelerator="auto", devices=devices, precision=config.precision, strategy=strategy
    )
    run = _Run(model=model, task=task, out=out, config=config, optim=optim, card=card)
    if devices == 1:
        return _work(fabric, run=run)
    others = multiprocessing.active_children()
    try:
        return fabric.launch(partial(_work, run=run))
    finally:
        for child in multiprocessing.active_children():
            if child not in others:
                child.kill()


@dataclass(frozen=True, kw_only=True)
class _Run:
    model: Model
    task: Learning
    out: Path
    config: TrainConfig
    optim: OptimConfig
    card: dict[str, Any]


def _work(fabric: Fabric, *, run: _Run) -> RunState:
    """Do what one process does."""
    if fabric.world_size > 1:
        leave_with_parent()
    wrapped, optimizer = fabric.setup(run.model, make_optimizer(run.model, run.optim))
    state = RunState()
    if (checkpoint := run.out / CHECKPOINT).exists():
        # After the set-up: the optimiser's moments go where the parameters have gone.
        state = load_checkpoint(checkpoint, run.model, optimizer)
    for name in run.model.forward_methods:
        wrapped.mark_forward_method(name)
    worker = _Worker(fabric, run, wrapped, optimizer, state)
    try:
        worker.train()
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not _OUT_OF_MEMORY.search(str(error)):
            raise
        raise ConfigError(
            f"memory ran out at step {state.step + 1:,} with batches of {run.config.batch}; begin "
            "anew with half the batch and twice accumulate, and an update sees as many windows."
        ) from error
    return state


class _Ahead(NamedTuple):
    """A batch that another thread prepares."""

    examples: Int[np.ndarray, "batch"]
    coming: Future[Any]


class _Update(NamedTuple):
    """What one update was like; the seconds are those spent waiting for data."""

    loss: float
    norm: float
    waited: float


class _Worker:
    """One process's model, optimiser and place in the run."""

    def __init__(
        self,
        fabric: Fabric,
        run: _Run,
        model: _FabricModule,
        optimizer: torch.optim.Optimizer,
        state: RunState,
    ) -> None:
        self.fabric, self.run, self.model, self.optimizer = fabric, run, model, optimizer
        self.state = state
        self.record = Record(run.out / METRICS) if fabric.is_global_zero else None

    def train(self) -> None:
        config, state = self.run.config, self.state
        if self.record:
            self.record.cut(state.step)
        self.model.train()
        with (
            progress("training", config.steps, done=state.step) as ticker,
            ThreadPoolExecutor(1) as loader,
        ):
            started = time.perf_counter() - state.seconds
            batches = self._batches(loader)
            most_worse = math.inf if config.patience is None else config.patience
            while state.step < config.steps and state.n_worse < most_worse:
                update = self._update(batches)
                state.step += 1
                state.seconds = time.perf_counter() - started
                if self.record:
                    self.record.add(**update._asdict())
                    if state.step % config.log_every == 0:
                        self.record.write(state, lr=self.optimizer.param_groups[0]["lr"])
                ticker.advance()
                done = state.step == config.steps
                if state.step % config.validate_every == 0 or done:
                    self._validate()
                if (state.step % config.checkpoint_every == 0 or done) and self.record:
                    self._save_checkpoint()
        if self.record:
            self._save_checkpoint()

    def _update(self, batches: Iterator[_Ahead]) -> _Update:
        config = self.run.config
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.state.step, config.steps, self.run.optim)
        waited, loss, examples = 0.0, 0.0, np.empty(0, dtype=np.int64)
        for part in range(config.accumulate):
            began = time.perf_counter()
            examples, coming = next(batches)
            batch = to_device(coming.result(), self.fabric.device)
            waited += time.perf_counter() - began
            # Dropout follows from the step too, so that a resumed run repeats it.
            torch.manual_seed(self._seed(self.state.step, part).generate_state(1).item())
            last = part == config.accumulate - 1
            with self.fabric.no_backward_sync(self.model, enabled=not last):
                # On one device Fabric sets precision for `forward` alone, not for other methods.
                with self.fabric.autocast():
                    value = self.run.task.loss(self.model, batch) / config.accumulate
                self.fabric.backward(value)
            loss += value.item()
            self._check_finite(loss, examples)
        norm = torch.nn.utils.clip_grad_norm_(self.run.model.parameters(), self.run.optim.clip)
        self._check_finite(norm.item(), examples)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return _Update(loss, norm.item(), waited)

    def _batches(self, loader: ThreadPoolExecutor) -> Iterator[_Ahead]:
        """Yield this process's batches from the run's present step, one made ahead."""
        config, task = self.run.config, self.run.task
        order = Order(task.n_train, config.seed)

        def ask(number: int) -> _Ahead:
            step, part = divmod(number, config.accumulate)
            first = (number * self.fabric.world_size + self.fabric.global_rank) * config.batch
            examples = order.examples(first, config.batch)
            rng = np.random.default_rng(self._seed(step, part))
            return _Ahead(examples, loader.submit(task.batch, examples, rng))

        number = self.state.step * config.accumulate
        ahead = ask(number)
        while True:
            number += 1
            ready, ahead = ahead, ask(number)
            yield ready

    def _seed(self, step: int, part: int) -> np.random.SeedSequence:
        return np.random.SeedSequence([self.run.config.seed, step, part, self.fabric.global_rank])

    def _check_finite(self, value: float, examples: Int[np.ndarray, "batch"]) -> None:
        if not np.isfinite(value):
            raise DataError(
                f"the loss or its gradient is {value} at step {self.state.step + 1:,}, in "
                f"{self.run.task.describe(examples)}; lower lr or clip, or train in 32-true."
            )

    def _validate(self) -> None:
        """Keep the model if it is the best so far."""
        state = self.state
        with self.fabric.autocast():
            loss = self.run.task.validate(self.model, _VALIDATION_BATCH)
        if loss < state.best_loss:
            state.best_loss, state.best_step, state.n_worse = loss, state.step, 0
        else:
            state.n_worse += 1
        if self.record:
            self.record.write_validation(state, loss)
            if state.best_step == state.step:
                card = self.run.card | {"steps": state.step, "seconds": round(state.seconds, 1)}
                save_model(self.run.out / MODEL, self.run.model, card=card, overwrite=True)

    def _save_checkpoint(self) -> None:
        save_checkpoint(self.run.out / CHECKPOINT, self.run.model, self.optimizer, state=self.state)


class Order:
    """An endless sequence of examples, every one once in each pass, each pass shuffled anew."""

    def __init__(self, n: int, seed: int) -> None:
        if n < 1:
            raise DataError("there is nothing to train on; the data set has no training windows.")
        self._n, self._seed = n, seed
        self._shuffled: tuple[int, Int[np.ndarray, "examples"]] = (-1, np.empty(0, dtype=np.int64))

    def examples(self, first: int, count: int) -> Int[np.ndarray, "count"]:
        """Return `count` examples of the sequence from its place `first` on."""
        places = np.arange(first, first + count)
        return np.array(
            [self._pass(place // self._n)[place % self._n] for place in places.tolist()]
        )

    def _pass(self, number: int) -> Int[np.ndarray, "examples"]:
        if self._shuffled[0] != number:
            rng = np.random.default_rng([self._seed, number])
            self._shuffled = (number, rng.permutation(self._n))
        return self._shuffled[1]
