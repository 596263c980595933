"""What a Project can be set to, where there are several."""

from django.db import models


class Augmentation(models.TextChoices):
    """How pictures may be changed without changing their class."""

    UPRIGHT = "upright", "photographs and text: moved, tilted and relit a little"
    MIRRORED = "mirrored", "photographs without text: also mirrored, and partly covered"
    OUTLINE = "outline", "shapes and symbols: also turned, mirrored and inverted"
    NONE = "none", "not at all"


class Recipe(models.TextChoices):
    """What learns; ``classifier.model.RECIPES`` has one of each name."""

    AUTO = "auto", "auto: features, and a network of one's own where labels are many"
    FEATURES = "features", "features: heads on a network that is trained already"
    SEED = "seed", "seed: a small network, trained from the beginning"
    FAST = "fast", "fast: four convolutions, learns most a second"
    ALEXNET = "alexnet", "alexnet: five convolutions, dropout"
    VGG = "vgg", "vgg: pairs of convolutions, deeper for larger pictures"
    RESNET = "resnet", "resnet: ResNet-18, from the beginning or from weights of your own"
    EFFICIENT = "efficient", "efficient: EfficientNet-Lite0, all of it fine-tuned; wants a GPU"


def recipes() -> list[tuple[str, str]]:
    """Of the field: a function, so that a new recipe needs no migration."""
    return list(Recipe.choices)


class Acquisition(models.TextChoices):
    """Which images are asked about first."""

    INFORMATION = "information", "most information a second of people's time"
    ENTROPY = "entropy", "most entropy of what is known, votes and network together"
    SOFTMAX = "softmax", "most entropy of the network's word alone"
    MARGIN = "margin", "least distance between the two likeliest classes"
    CONFIDENCE = "confidence", "least probability of the likeliest class"
    DISAGREEMENT = "disagreement", "most disagreement between the fold networks (BALD)"
    DIVERSE = "diverse", "most entropy, and unlike each other"
    RANDOM = "random", "in random order"
