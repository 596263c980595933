"""Linear heads on frozen features, one a block, whose opinions are weighed: seconds to train."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from classifier import patches
from classifier.config import TrainConfig
from classifier.feature_stages import feature_stages
from classifier.features import BLOCKS, FEATURES, Describer
from classifier.manifold import COORDINATES, LANDMARKS, Manifold
from classifier.patches import PatchDictionary
from classifier.pool import LEADING, LENGTH, Pool, neighbourhood, standardised
from classifier.recipe import Recipe
from classifier.stages import Stage

OPINIONS = len(BLOCKS) + 1  # a head for each block, and one for the place in the pool


class FeatureNetwork(nn.Module):
    """Pixels (n, C, H, W), or the features (n, FEATURES) that stand for them, to logits (n, K).

    A block's features are standardised and brought to one length, and so is the picture's place
    among those of the pool. A linear head reads each, and the logits are the heads' log-softmax,
    weighed by ``opinion``. The dictionary of patches and the pool's landmarks are what networks of
    one pool have in common; the backbone is the pretrained one that all share.
    """

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        depth, leading = channels * patches.PATCH**2, len(BLOCKS) * LEADING
        half = torch.float16
        self.register_buffer("patch_filters", torch.zeros(depth, patches.WORDS))
        self.register_buffer("patch_offsets", torch.zeros(patches.WORDS))
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("deviation", torch.ones(FEATURES))
        self.register_buffer("centre", torch.zeros(FEATURES))
        self.register_buffer("leading", torch.zeros(FEATURES, LEADING, dtype=half))
        self.register_buffer("landmarks", torch.zeros(LANDMARKS, leading, dtype=half))
        self.register_buffer("places", torch.zeros(LANDMARKS, COORDINATES, dtype=half))
        self.register_buffer("opinion", torch.full((OPINIONS,), 1 / OPINIONS))
        sizes = [block.stop - block.start for block in BLOCKS] + [COORDINATES]
        self.heads = nn.ModuleList(nn.Linear(size, classes) for size in sizes)

    @property
    def common_names(self) -> list[str]:
        """The tensors that networks of one describer and one pool have in common."""
        return [name for name, _ in self.named_buffers() if name != "opinion"]

    @torch.no_grad()
    def see(self, describer: Describer, pool: Pool) -> None:
        """Take over what makes features, and what the pool tells of them."""
        self.get_buffer("patch_filters").copy_(describer.dictionary.filters)
        self.get_buffer("patch_offsets").copy_(describer.dictionary.offsets)
        for block, directions in zip(BLOCKS, pool.directions, strict=True):
            self.get_buffer("mean")[block] = directions.mean
            self.get_buffer("deviation")[block] = directions.deviation
            self.get_buffer("centre")[block] = directions.centre
            self.get_buffer("leading")[block] = directions.leading.half()
        self.get_buffer("landmarks").copy_(pool.manifold.landmarks)
        self.get_buffer("places").copy_(pool.manifold.places)

    @torch.no_grad()
    def weigh(self, opinion: Tensor) -> None:
        """Let each head count by so much, (OPINIONS,)."""
        self.get_buffer("opinion").copy_(opinion)

    @property
    def describer(self) -> Describer:
        """What makes the features of this network."""
        return Describer(
            PatchDictionary(self.get_buffer("patch_filters"), self.get_buffer("patch_offsets"))
        )

    @property
    def manifold(self) -> Manifold:
        """Where a picture lies among those of the pool."""
        return Manifold(self.get_buffer("landmarks"), self.get_buffer("places"))

    def described(self, pixels: Tensor) -> Tensor:
        """Pixels (n, C, H, W) on the 0..255 scale to features (n, FEATURES)."""
        return self.describer.features(pixels)

    def forward(self, seen: Tensor) -> Tensor:
        features = self.described(seen) if seen.ndim == 4 else seen.float()
        return self.say(self.read(features))

    def say(self, rows: list[Tensor]) -> Tensor:
        """Logits (n, K) of what ``read`` gives."""
        said = torch.stack(
            [
                functional.log_softmax(head(read), dim=1)
                for head, read in zip(self.heads, rows, strict=True)
            ]
        )  # (heads, images, classes)
        return torch.einsum("b,bnk->nk", self.get_buffer("opinion"), said)

    def staged(self, pixels: Tensor) -> list[Stage]:
        """One picture's way, (1, C, H, W), from the backbone to the weighed opinions."""
        return feature_stages(self, pixels)

    def read(self, features: Tensor) -> list[Tensor]:
        """What each head reads of features (n, FEATURES): rows of one length, (n, size) a head."""
        mean, deviation, centre, leading = (
            self.get_buffer(name) for name in ("mean", "deviation", "centre", "leading")
        )
        rows = [standardised(features[:, one], mean[one], deviation[one]) for one in BLOCKS]
        alike = neighbourhood(
            rows, [leading[one].float() for one in BLOCKS], [centre[one] for one in BLOCKS]
        )
        return [*rows, functional.normalize(self.manifold.coordinates(alike), dim=1) * LENGTH]


def build(config: TrainConfig) -> FeatureNetwork:
    """Build it untrained."""
    return FeatureNetwork(config.classes, config.channels)


FEATURES_RECIPE = Recipe(build, "linear heads on a network that is trained already")
