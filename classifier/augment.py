"""Random changes to a whole batch at once, as tensor operations."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from classifier.config import Augmentation

FULL_RANGE = 255.0


def augment(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Change each image its own way: (n, C, H, W) 0..255 in, float of the same shape out.

    Draws come from ``generator`` (on the CPU, whatever the device), in a fixed order.
    """
    changed = _move(images, augmentation, generator)
    changed = _relight(changed, augmentation, generator)
    if augmentation.noise:
        strength = _uniform(len(images), augmentation.noise, generator).abs() * FULL_RANGE
        grain = torch.randn(changed.shape, generator=generator) * strength.view(-1, 1, 1, 1)
        changed = changed + grain.to(changed.device)
    if augmentation.cutout:
        changed = _cut(changed, augmentation.cutout, generator)
    return changed  # (images, channels, height, width)


def _uniform(count: int, most: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(count, generator=generator) * 2 - 1) * most  # (images,) in -most..most


def _move(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Turn, scale, shift and mirror in one resampling; the border's colour fills what opens."""
    if not (augmentation.rotate or augmentation.scale or augmentation.shift or augmentation.flip):
        return images.float()
    if not (augmentation.rotate or augmentation.scale):
        return _step(images, augmentation, generator)
    images = images.float()
    count, _, height, width = images.shape
    angle = _uniform(count, math.radians(augmentation.rotate), generator)
    size = 1 + _uniform(count, augmentation.scale, generator)
    right = _uniform(count, 2 * augmentation.shift / width, generator)
    down = _uniform(count, 2 * augmentation.shift / height, generator)
    mirror = torch.ones(count)
    if augmentation.flip:
        mirror = torch.rand(count, generator=generator).lt(0.5).float() * 2 - 1
    cos, sin = angle.cos() / size, angle.sin() / size
    across = torch.stack([cos * mirror, -sin, right], dim=1)
    along = torch.stack([sin * mirror, cos, down], dim=1)
    theta = torch.stack([across, along], dim=1).to(images.device)  # (images, 2, 3)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _step(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Shift by whole pixels and mirror: resampling them would take four times as long."""
    count, _, height, width = images.shape
    most = augmentation.shift
    down, right = torch.randint(-most, most + 1, (2, count, 1), generator=generator)
    rows = (torch.arange(height) + down).clamp(0, height - 1)  # (images, height)
    columns = (torch.arange(width) + right).clamp(0, width - 1)  # (images, width)
    if augmentation.flip:
        mirrored = torch.rand(count, 1, generator=generator).lt(0.5)
        columns = torch.where(mirrored, width - 1 - columns, columns)
    places = rows[:, :, None] * width + columns[:, None, :]  # (images, height, width)
    places = places + torch.arange(count)[:, None, None] * height * width
    pixels = images.permute(0, 2, 3, 1).reshape(count * height * width, -1)
    moved = pixels.index_select(0, places.view(-1).to(images.device))
    return moved.view(count, height, width, -1).permute(0, 3, 1, 2).float()


def _relight(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Change brightness and contrast of each image as a whole, and each channel on its own."""
    light = (augmentation.brightness, augmentation.contrast, augmentation.colour)
    if not (any(light) or augmentation.invert):
        return images
    count, channels = images.shape[:2]
    gain = 1 + _uniform(count, augmentation.contrast, generator)[:, None]  # (images, 1)
    lift = _uniform(count, augmentation.brightness, generator)[:, None] * FULL_RANGE
    if augmentation.colour:
        tint = _uniform(count * channels, augmentation.colour, generator)
        gain = gain * (1 + tint.view(count, channels))  # (images, channels)
    if augmentation.invert:
        gain = gain * (torch.rand(count, 1, generator=generator).lt(0.5).float() * 2 - 1)
    mean = images.mean(dim=(1, 2, 3))[:, None]  # (images, 1)
    gain, lift = gain.to(images.device), lift.to(images.device)
    offset = (mean * (1 - gain) + lift).expand(count, channels)
    return images * gain[:, :, None, None] + offset[:, :, None, None]


def _cut(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Paint one square of each image over with the image's mean."""
    count, _, height, width = images.shape
    top = torch.randint(0, height, (count, 1), generator=generator) - side // 2
    left = torch.randint(0, width, (count, 1), generator=generator) - side // 2
    row, column = torch.arange(height), torch.arange(width)
    in_rows = (row >= top) & (row < top + side)  # (images, height)
    in_columns = (column >= left) & (column < left + side)  # (images, width)
    hole = (in_rows[:, None, :, None] & in_columns[:, None, None, :]).to(images.device)
    return torch.where(hole, images.mean(dim=(1, 2, 3), keepdim=True), images)
