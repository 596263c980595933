"""The product's own training over the same pictures, and how its probabilities come out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.calibration import expected_calibration_error, fit_temperature
from classifier.config import Augmentation, TrainConfig
from classifier.model import build, configured
from classifier.predict import logits, probabilities
from classifier.train import Progress, train
from workers.training_bench.idx import Split
from workers.training_bench.tutorial import Pictures, seconds_to

EDGE, CLASSES = 32, 10
LENGTHS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)  # epochs, tried from the shortest
KEPT_BACK = 5000  # training pictures that a temperature is fitted on
STILL = Augmentation.none()
MIRRORED = replace(STILL, flip=True)  # they lie in the middle of their picture
Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """Both splits as a network sees them: pictures (n, EDGE, EDGE, 1), one-hot (n, CLASSES)."""

    images: NDArray[np.uint8]
    targets: NDArray[np.float64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    seconds: float  # that bringing the training pictures to it took

    @classmethod
    def of(cls, training: Split, test: Split) -> "Prepared":
        """Bring the pictures of both to the size that networks see."""
        started = time.perf_counter()
        images = training.prepared(EDGE)
        seconds = time.perf_counter() - started
        targets = np.eye(CLASSES)[training.labels]
        return cls(images, targets, test.prepared(EDGE), test.labels, seconds)


@dataclass(frozen=True)
class Reached:
    """A training of so many epochs that reached the goal."""

    recipe: str
    seconds: float
    epochs: float
    accuracy: float


def tutorial_seconds(goal: float, training: Split, test: Split, say: Say) -> float | None:
    """Seconds that the usual loop takes over the ``seed`` network, from the stored pictures."""
    network = build(TrainConfig(CLASSES, "seed", EDGE, 1)).get_submodule("stages")
    one, other = (Pictures.of(split.pictures, split.labels, EDGE) for split in (training, test))
    return seconds_to(goal, network, one, other, say)


def shortest(goal: float, recipe: str, data: Prepared, say: Say) -> Reached | None:
    """The shortest whole training of LENGTHS whose network reaches the goal on the test set."""
    for epochs in LENGTHS:
        config = _config(recipe, len(data.images), epochs, STILL)
        started = time.perf_counter()
        network = train(config, data.images, data.targets, np.ones(len(data.images)))
        seconds = time.perf_counter() - started
        said = logits(network, data.test_images)
        accuracy = float((said.argmax(axis=1) == data.test_labels).mean())
        say(f"{recipe}: {epochs:g} epochs, {seconds:.1f} s, {accuracy:.2%} of the test set")
        if accuracy >= goal:
            return Reached(recipe, seconds, epochs, accuracy)
    return None


def best_of(found: Sequence[Reached | None]) -> Reached | None:
    """The quickest."""
    return min((one for one in found if one), key=lambda one: one.seconds, default=None)


def at_its_best(
    recipe: str, *, epochs: float, minutes: float, data: Prepared, say: Say
) -> dict[str, Any]:
    """How right a recipe gets in so many epochs, or in so many minutes where that is less, and how
    well calibrated: the temperature is fitted on training pictures that were kept back."""
    learned = slice(0, len(data.images) - KEPT_BACK)
    back = slice(len(data.images) - KEPT_BACK, None)
    images, targets = data.images[learned], data.targets[learned]
    config = _config(recipe, len(images), epochs, MIRRORED, seconds=60 * minutes)

    def told(progress: Progress) -> None:
        say(f"{recipe}: {progress.done:.0%}, loss {progress.loss:.3f}")

    started = time.perf_counter()
    network = train(config, images, targets, np.ones(len(images)), on_progress=told)
    seconds = time.perf_counter() - started
    kept = logits(network, data.images[back])
    temperature = fit_temperature(kept, data.targets[back], np.ones(KEPT_BACK))
    said = logits(network, data.test_images)
    before, after = probabilities(said), probabilities(said, temperature)
    return {
        "recipe": recipe,
        "seconds": round(seconds, 1),
        "accuracy": float((said.argmax(axis=1) == data.test_labels).mean()),
        "temperature": round(temperature, 4),
        "ece_before": round(expected_calibration_error(before, data.test_labels), 5),
        "ece": round(expected_calibration_error(after, data.test_labels), 5),
    }


def _config(
    recipe: str, images: int, epochs: float, augmentation: Augmentation, **settings: Any
) -> TrainConfig:
    config = configured(recipe, classes=CLASSES, image_size=EDGE, channels=1)
    steps = round(epochs * images / config.batch_size)
    return configured(
        recipe, classes=CLASSES, image_size=EDGE, channels=1, steps=steps,
        augmentation=augmentation, **settings,
    )  # fmt: skip
