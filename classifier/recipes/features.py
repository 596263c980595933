"""Linear heads on frozen features, one a block, whose opinions are weighed: seconds to train."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from classifier import patches
from classifier.config import TrainConfig
from classifier.features import BLOCKS, Describer
from classifier.patches import PatchDictionary

LENGTH = 20.0  # of a standardised description, so that its head's weights are of about one


class FeatureNetwork(nn.Module):
    """Pixels (n, C, H, W), or the features (n, FEATURES) that stand for them, to logits (n, K).

    A block's features are standardised and brought to one length, a linear head reads them, and the
    logits are the heads' log-softmax, weighed by ``opinion``. The dictionary of patches travels
    with the file; the backbone is the pretrained one that every such network shares.
    """

    def __init__(self, classes: int, channels: int) -> None:
        super().__init__()
        depth = channels * patches.PATCH**2
        self.register_buffer("patch_filters", torch.zeros(depth, patches.WORDS))
        self.register_buffer("patch_offsets", torch.zeros(patches.WORDS))
        self.register_buffer("opinion", torch.full((len(BLOCKS),), 1 / len(BLOCKS)))
        sizes = [block.stop - block.start for block in BLOCKS]
        self.heads = nn.ModuleList(BlockHead(size, classes) for size in sizes)

    @property
    def describer(self) -> Describer:
        """What makes the features of this network."""
        return Describer(
            PatchDictionary(self.get_buffer("patch_filters"), self.get_buffer("patch_offsets"))
        )

    def forward(self, seen: Tensor) -> Tensor:
        features = self.describer.features(seen) if seen.ndim == 4 else seen.float()
        said = torch.stack(self.opinions(features))  # (blocks, images, classes)
        return torch.einsum("b,bnk->nk", self.get_buffer("opinion"), said)

    def opinions(self, features: Tensor) -> list[Tensor]:
        """What each head says of features (n, FEATURES): log-softmax (n, K), a block each."""
        return [
            functional.log_softmax(head(features[:, block]), dim=1)
            for head, block in zip(self.heads, BLOCKS, strict=True)
        ]


class BlockHead(nn.Module):
    """One block's features (n, d) to logits (n, K)."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.linear = nn.Linear(features, classes)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.standardised(features))
        return logits

    def standardised(self, features: Tensor) -> Tensor:
        """(n, d) of mean zero and deviation one in each column, each row of one length."""
        centred = (features - self.get_buffer("mean")) / self.get_buffer("std")
        return functional.normalize(centred, dim=1) * LENGTH


def features(config: TrainConfig) -> FeatureNetwork:
    """Build it untrained."""
    return FeatureNetwork(config.classes, config.channels)
