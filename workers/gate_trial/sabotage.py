"""What can go wrong with a Round, done to its labels, its networks or its files. The Round itself
is the product's own, and nobody tells the gate."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from classifier import checkpoint
from classifier.checkpoint import LoadedModel
from labelhub.projects.models import Project
from labelhub.rounds.model_files import model_folder
from workers.lessons import Networks, Task, network_path
from workers.networks import forget_networks, publish
from workers.snapshot import Snapshot, take_snapshot
from workers.teaching import teach

Dice = np.random.Generator
Spoil = Callable[[Snapshot, Dice], Snapshot]
Damage = Callable[[Task, Networks, Dice], Networks]
WHOLE, SERVED, FOLDS, ONE_FOLD = "all networks", "the served network", "the folds", "one fold"


@dataclass(frozen=True)
class Sabotage:
    """One way to spoil a Round, while its context is open."""

    name: str
    during: Callable[[Dice], AbstractContextManager[None]]


# --- Labels --------------------------------------------------------------------------------------


def flipped(share: float) -> Spoil:
    """Such a share of the labels become another class each, Gold included."""

    def spoil(snapshot: Snapshot, dice: Dice) -> Snapshot:
        count, classes = snapshot.targets.shape
        hit = np.flatnonzero(dice.random(count) < share)
        was = snapshot.labels[hit]
        becomes = (was + dice.integers(1, classes, len(hit))) % classes
        targets, gold = snapshot.targets.copy(), snapshot.gold.copy()
        targets[hit, was], targets[hit, becomes] = targets[hit, becomes], targets[hit, was]
        gold[hit] = np.where(gold[hit] >= 0, becomes, -1)
        return replace(snapshot, targets=targets, gold=gold)

    return spoil


def two_swapped(snapshot: Snapshot, dice: Dice) -> Snapshot:
    """Two of the classes that there are most labels of stand for each other."""
    common = np.argsort(-np.bincount(snapshot.labels, minlength=snapshot.targets.shape[1]))[:5]
    first, second = dice.permutation(common)[:2]
    order = np.arange(snapshot.targets.shape[1])
    order[[first, second]] = second, first
    return _renamed(snapshot, order)


def all_swapped(snapshot: Snapshot, _dice: Dice) -> Snapshot:
    """Each class stands for the next."""
    return _renamed(snapshot, np.roll(np.arange(snapshot.targets.shape[1]), 1))


def _renamed(snapshot: Snapshot, order: np.ndarray) -> Snapshot:
    gold = np.where(snapshot.gold >= 0, np.argsort(order)[snapshot.gold], -1)
    return replace(snapshot, targets=snapshot.targets[:, order], gold=gold)


def not_numbers(snapshot: Snapshot, _dice: Dice) -> Snapshot:
    """The loss becomes NaN."""
    return replace(snapshot, targets=np.full_like(snapshot.targets, np.nan))


def read_otherwise(name: str, spoil: Spoil) -> Sabotage:
    """The labels are spoilt as they are read: what the network is measured on, too."""

    @contextmanager
    def during(dice: Dice) -> Iterator[None]:
        def spoilt(**asked: object) -> Snapshot:
            return spoil(take_snapshot(**asked), dice)  # type: ignore[arg-type]

        with patch("workers.training.take_snapshot", spoilt):
            yield

    return Sabotage(f"labels {name} as they are read", during)


def taught_otherwise(
    name: str, spoil: Spoil, scope: str = WHOLE, *, past_checksum: bool = False
) -> Sabotage:
    """Networks are taught spoilt labels, and measured on the right ones. Those spoilt
    ``past_checksum``, within the training, have cards that name the right ones."""

    def damage(task: Task, networks: Networks, dice: Dice) -> Networks:
        folder = task.folder / "spoilt"
        folder.mkdir(exist_ok=True)
        other = replace(task, snapshot=spoil(task.snapshot, dice), folder=folder)
        bad = teach(other, recipe=task.config.recipe)
        count = len(networks.folds)
        numbers = {SERVED: [count], FOLDS: range(count), ONE_FOLD: [0]}.get(scope, range(count + 1))
        members, others = [*networks.folds, networks.served], [*bad.folds, bad.served]
        for number in numbers:
            card = members[number].card if past_checksum else others[number].card
            members[number] = replace(others[number], card=card)
            shutil.copyfile(network_path(folder, number), network_path(task.folder, number))
        for common in folder.glob("????????????????????????????????*.safetensors"):
            if not (task.folder / common.name).exists():
                shutil.copyfile(common, task.folder / common.name)
        return Networks(members[:-1], members[-1], task.folder)

    past = ", past the checksum" if past_checksum else ""
    return Sabotage(f"labels {name}, taught to {scope}{past}", _after_teaching(damage))


# --- Networks ------------------------------------------------------------------------------------


def _after_teaching(damage: Damage) -> Callable[[Dice], AbstractContextManager[None]]:
    @contextmanager
    def during(dice: Dice) -> Iterator[None]:
        def spoilt(task: Task, *, recipe: str) -> Networks:
            return damage(task, teach(task, recipe=recipe), dice)

        with patch("workers.training.teach", spoilt):
            yield

    return during


def _last_layers(network: nn.Module, classes: int) -> list[nn.Linear]:
    layers = [one for one in network.modules() if isinstance(one, nn.Linear)]
    return [one for one in layers if one.out_features == classes]


@torch.no_grad()
def _outputs_swapped(task: Task, networks: Networks, dice: Dice) -> Networks:
    """The served network says each class for the next one, in its file too."""
    del dice
    network = networks.served.network
    for layer in _last_layers(network, task.config.classes):
        layer.weight.copy_(layer.weight.roll(1, 0))
        layer.bias.copy_(layer.bias.roll(1, 0))
    return replace(networks, served=_saved_again(task, networks.served))


@torch.no_grad()
def _weights_not_numbers(task: Task, networks: Networks, dice: Dice) -> Networks:
    del dice
    for layer in _last_layers(networks.served.network, task.config.classes):
        layer.weight[0, 0] = float("nan")
    return replace(networks, served=_saved_again(task, networks.served))


@torch.no_grad()
def _not_numbers_in_memory(task: Task, networks: Networks, dice: Dice) -> Networks:
    del dice
    for layer in _last_layers(networks.folds[0].network, task.config.classes):
        layer.weight[0, 0] = float("nan")
    return networks


def _saved_again(task: Task, model: LoadedModel) -> LoadedModel:
    path = next(
        path
        for path in task.folder.glob("network-*.safetensors")
        if checkpoint.load(path).sha256 == model.sha256
    )
    checkpoint.save(path, model.network, model.config, model.card, alone=model.common is None)
    return checkpoint.load(path)


# --- Files ---------------------------------------------------------------------------------------


def _cut_short(path: Path) -> None:
    """Half of a file; another one than before, for links to it are not to be cut too."""
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[: len(data) // 2])


def _served_cut(task: Task, networks: Networks, dice: Dice) -> Networks:
    del dice
    _cut_short(network_path(task.folder, len(networks.folds)))
    return networks


def _fold_cut(task: Task, networks: Networks, dice: Dice) -> Networks:
    _cut_short(network_path(task.folder, int(dice.integers(len(networks.folds)))))
    return networks


def _served_replaced(task: Task, networks: Networks, dice: Dice) -> Networks:
    """By another whole network, as a mistaken copy would."""
    del dice
    target = network_path(task.folder, len(networks.folds))
    target.unlink()
    shutil.copyfile(network_path(task.folder, 0), target)
    return networks


def published_and(name: str, damage: Callable[[Path], None], *, served: bool = True) -> Sabotage:
    """One file comes to harm after it was published and before anybody loads it: the served
    network's, which is the last, or the first fold's."""

    @contextmanager
    def during(_dice: Dice) -> Iterator[None]:
        published: list[Path] = []

        def noted(*, project: Project, model: LoadedModel, path: Path) -> None:
            publish(project=project, model=model, path=path)
            published.append(model_folder(project) / f"{model.sha256}.safetensors")

        with patch("workers.training.publish", noted):
            yield
        if published:
            damage(published[-1 if served else 0])
        forget_networks()  # as of a worker that did not load it before

    whose = "the served network" if served else "a fold"
    return Sabotage(f"file of {whose} {name} once published", during)


def _other_bytes(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.unlink()
    path.write_bytes(data)


def _gone(path: Path) -> None:
    os.unlink(path)  # noqa: PTH108


def _taught(*, past_checksum: bool) -> tuple[Sabotage, ...]:
    """Every way in which networks are taught other labels."""
    flips = [(f"flipped ({share:.0%})", flipped(share)) for share in (0.2, 0.4, 1.0)]
    swaps = [("of two classes swapped", two_swapped), ("all swapped", all_swapped)]
    spoilt = [(*one, scope) for one in flips + swaps for scope in (WHOLE, SERVED, FOLDS)]
    spoilt.append((*flips[0], ONE_FOLD))
    return tuple(taught_otherwise(*one, past_checksum=past_checksum) for one in spoilt)


SABOTAGES: tuple[Sabotage, ...] = (
    *_taught(past_checksum=False),
    *(read_otherwise(f"flipped ({share:.0%})", flipped(share)) for share in (0.2, 0.4, 1.0)),
    read_otherwise("of two classes swapped", two_swapped),
    read_otherwise("all swapped", all_swapped),
    taught_otherwise("that are no numbers", not_numbers),
    Sabotage("outputs of the served network swapped", _after_teaching(_outputs_swapped)),
    Sabotage("weights of the served network no numbers", _after_teaching(_weights_not_numbers)),
    Sabotage("weights of a fold no numbers, in memory", _after_teaching(_not_numbers_in_memory)),
    Sabotage("file of the served network cut short", _after_teaching(_served_cut)),
    Sabotage("file of a fold cut short", _after_teaching(_fold_cut)),
    Sabotage("file of the served network replaced", _after_teaching(_served_replaced)),
    published_and("cut short", _cut_short),
    published_and("changed in one bit", _other_bytes),
    published_and("gone", _gone),
    published_and("gone", _gone, served=False),
)
PAST_CHECKSUM = _taught(past_checksum=True)
