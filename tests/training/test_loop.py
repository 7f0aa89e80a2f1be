import json
import math

import numpy as np
import pytest
import torch

from cisgram.core.checks import ConfigError, DataError
from cisgram.core.verify import verify
from cisgram.data.corpus import Corpus
from cisgram.data.outputs import Outputs
from cisgram.models.hub import load_model
from cisgram.models.shorkie import Shorkie, ShorkieConfig
from cisgram.training.config import OptimConfig, TrainConfig
from cisgram.training.loop import Order, fit
from cisgram.training.task import Learning
from cisgram.training.tasks.language import MaskedBases, MaskedBatch, MaskedConfig
from models.tiny import CONFIG
from training.small_corpus import WINDOW, small_corpus

pytestmark = pytest.mark.whole

SIZES = ShorkieConfig(**(vars(CONFIG) | {"window": WINDOW, "n_species": 1, "dropout": 0.1}))
OPTIM = OptimConfig(lr=3e-3, warmup=2, decay=3)
PLAN = TrainConfig(
    steps=8, batch=2, accumulate=2, validate_every=4, checkpoint_every=3, log_every=1
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return small_corpus(tmp_path_factory.mktemp("corpus"), max_validation=4)


@pytest.fixture
def task(corpus) -> Learning:
    return learning(corpus, MaskedBases)


def learning(corpus: Corpus, kind: type[MaskedBases]) -> Learning:
    return Learning(corpus, kind(MaskedConfig(rate=0.2)))


def fresh(config: ShorkieConfig = SIZES) -> Shorkie:
    torch.manual_seed(0)
    return Shorkie(config, Outputs.of_bases())


def run(task, out, **changes):
    settings = {"config": PLAN, "optim": OPTIM, "card": {"name": "test"}} | changes
    return fit(fresh(), task, out, **settings)


def metrics(out) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def without_clock(lines):
    clock = ("seconds", "steps_per_second", "loading_share")
    return [{name: line[name] for name in line if name not in clock} for line in lines]


class Killed(MaskedBases):
    """Dies when asked for its n-th loss."""

    left: int

    def loss(self, model: torch.nn.Module, batch: MaskedBatch) -> torch.Tensor:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().loss(model, batch)


@pytest.mark.parametrize("after", [3, 9, 13])
def test_interrupted_run_ends_bit_for_bit_as_one_that_was_not(corpus, task, tmp_path, after):
    run(task, tmp_path / "whole")
    killed = learning(corpus, Killed)
    killed.task.left = after
    with pytest.raises(KeyboardInterrupt):
        run(killed, tmp_path / "cut")
    run(task, tmp_path / "cut")
    whole, cut = (load_model(tmp_path / name)[0].state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    whole, cut = (without_clock(metrics(tmp_path / name)) for name in ("whole", "cut"))
    assert whole == cut
    assert [line["step"] for line in whole if "loss" in line] == list(range(1, 9))


def test_a_run_can_be_made_longer(task, tmp_path):
    run(task, tmp_path / "long", config=TrainConfig(**(vars(PLAN) | {"steps": 12})))
    constant = OptimConfig(lr=3e-3, warmup=2)
    run(task, tmp_path / "short", optim=constant)
    run(task, tmp_path / "short", config=TrainConfig(**(vars(PLAN) | {"steps": 12})))
    long, short = (load_model(tmp_path / name)[0].state_dict() for name in ("long", "short"))
    assert all(torch.equal(long[name], short[name]) for name in long)


def test_finished_run_stays_as_it_is(task, tmp_path):
    state = run(task, tmp_path)
    lines = metrics(tmp_path)
    again = run(task, tmp_path)
    assert (again.step, again.best_loss, metrics(tmp_path)) == (8, state.best_loss, lines)


def test_model_is_that_of_the_lowest_validation_loss(task, tmp_path):
    state = run(task, tmp_path)
    losses = {
        line["step"]: line["validation_loss"]
        for line in metrics(tmp_path)
        if "validation_loss" in line
    }
    assert state.best_step == min(losses, key=losses.__getitem__)
    model, card = load_model(tmp_path)
    assert (card["name"], card["steps"]) == ("test", state.best_step)
    assert task.validate(model, 16) == pytest.approx(state.best_loss, abs=1e-6)


class Watching(MaskedBases):
    """Notes whether it computes in bfloat16."""

    def loss(self, model: torch.nn.Module, batch: MaskedBatch) -> torch.Tensor:
        self.seen = torch.is_autocast_enabled("cpu")
        return super().loss(model, batch)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_losses_are_computed_in_the_precision_asked_for(corpus, tmp_path, precision):
    task = learning(corpus, Watching)
    run(task, tmp_path, config=TrainConfig(**(vars(PLAN) | {"precision": precision})))
    assert task.task.seen == (precision == "bf16-mixed")


class Unmoved(Learning):
    """Validates every model alike."""

    def validate(self, model: torch.nn.Module, batch: int) -> float:
        return 1.0


def test_training_stops_when_validation_no_longer_improves(corpus, tmp_path):
    config = TrainConfig(**(vars(PLAN) | {"steps": 50, "validate_every": 1, "patience": 2}))
    task = Unmoved(corpus, MaskedBases(MaskedConfig()))
    state = run(task, tmp_path, config=config)
    assert (state.step, state.best_step, state.n_worse) == (3, 1, 2)
    assert run(task, tmp_path, config=config).step == 3


class Broken(MaskedBases):
    """Gives a loss that is no number, or fails as memory runs out."""

    how: str

    def loss(self, model: torch.nn.Module, batch: MaskedBatch) -> torch.Tensor:
        if self.how == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory")
        if self.how == "bug":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if self.how == "allocator":
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")
        return super().loss(model, batch) * math.nan


def test_a_loss_that_is_no_number_names_the_windows(corpus, tmp_path):
    task = learning(corpus, Broken)
    task.task.how = "nan"
    sentence = r"is nan at step 1, in windows toy c\d:[\d,]+-[\d,]+.*; lower lr or clip"
    with pytest.raises(DataError, match=sentence):
        run(task, tmp_path)


@pytest.mark.parametrize("how", ["memory", "allocator"])
def test_memory_that_runs_out_becomes_advice(corpus, tmp_path, how):
    task = learning(corpus, Broken)
    task.task.how = how
    sentence = "memory ran out at step 1 with batches of 2; begin anew with half the batch"
    with pytest.raises(ConfigError, match=sentence):
        run(task, tmp_path)


def test_other_errors_of_memory_are_no_advice(corpus, tmp_path):
    task = learning(corpus, Broken)
    task.task.how = "bug"
    with pytest.raises(RuntimeError, match="illegal memory access"):
        run(task, tmp_path)


def test_a_checkpoint_that_is_edited_is_noticed(task, tmp_path):
    run(task, tmp_path)
    place = tmp_path / "checkpoint.safetensors"
    assert f"{place}: as it was written." in verify(tmp_path)
    content = bytearray(place.read_bytes())
    content[-5] ^= 1
    place.write_bytes(content)
    for read in (lambda: run(task, tmp_path), lambda: verify(tmp_path)):
        with pytest.raises(DataError, match=r"checkpoint\.safetensors has changed since it was"):
            read()


def test_checkpoint_of_another_model_is_refused(task, tmp_path):
    run(task, tmp_path)
    other = fresh(ShorkieConfig(**(vars(SIZES) | {"stem_channels": 9})))
    with pytest.raises(DataError, match="is of another model than the recipe's"):
        fit(other, task, tmp_path, config=PLAN, optim=OPTIM, card={})


def test_order_gives_every_example_once_in_each_pass():
    order = Order(7, seed=1)
    passes = [order.examples(first, 7) for first in (0, 7, 14)]
    assert all(sorted(one) == list(range(7)) for one in passes)
    assert not np.array_equal(passes[0], passes[1])
    assert np.array_equal(order.examples(5, 6), np.concatenate(passes[:2])[5:11])


def test_a_repeated_word_is_learnt(task, tmp_path):
    config = TrainConfig(steps=150, batch=8, validate_every=150, log_every=50)
    state = run(task, tmp_path, config=config, optim=OptimConfig(lr=1e-2, warmup=10, decay=50))
    # Knowing the word leaves 7 of 20 bases to chance: 0.35 ln 4 = 0.49 nats.
    assert state.best_loss < 0.8


@pytest.mark.whole
def test_two_processes_average_their_gradients(corpus, tmp_path):
    """On every process the same examples and masks must give what one process gives."""
    state = run(learning(corpus, MaskedBases), tmp_path / "two", devices=2)
    assert state.step == 8
    lines = metrics(tmp_path / "two")
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 9))
    model, _ = load_model(tmp_path / "two")
    assert all(value.isfinite().all() for value in model.parameters())
