"""One picture's way through the network, stage by stage, for people to look at."""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from classifier.predict import probabilities
from classifier.stages import Stage, through


def stages(
    network: nn.Module, image: npt.NDArray[np.uint8], *, temperature: float = 1.0
) -> list[Stage]:
    """Every stage from the pixels (H, W, C) uint8 to the softmax at this temperature, computed by
    the network itself, which is put in evaluation mode.

    Raises ValueError for a temperature that is not above 0 or for logits that are not finite.
    """
    network.eval()
    tensors = [*network.parameters(), *network.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    with torch.inference_mode():
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].to(device)  # (1, C, H, W)
        seen = [Stage("input", "input", image.astype(np.float32)), *through(network, pixels)]
    p = probabilities(seen[-1].values, temperature)
    return [*seen, Stage("softmax", "softmax", p)]
