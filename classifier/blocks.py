"""Stages that are more than one layer, and how far a picture is brought down."""

from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):
    """Two 3x3 convolutions whose result is added to what came in (He et al. 2016).

    Where the filters or the size change, a 1x1 convolution brings what came in to the same shape.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        changes = stride > 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride) if changes else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        added: Tensor = self.second(functional.relu(self.first(maps))) + self.shortcut(maps)
        return functional.relu(added)


class Average(nn.Module):
    """The mean answer of each filter: (n, filters, h, w) to (n, filters)."""

    def forward(self, maps: Tensor) -> Tensor:
        """Global average pooling."""
        return maps.mean(dim=(2, 3))


def halvings(image_size: int, left: int) -> int:
    """How often a side of so many pixels can be halved before fewer than ``left`` remain."""
    return max(0, (image_size // left).bit_length() - 1)
