"""A network as ONNX, which runs without Python and PyTorch; only ``export_model`` needs this.

The graph takes the very pixels (pictures, height, width, channels), uint8, and gives calibrated
probabilities and logits. Whatever stands between, pixel statistics, a pretrained backbone and the
temperature included, is inside.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import onnx
import torch
from onnx import ModelProto, numpy_helper
from onnxscript import opset18 as operators
from torch import Tensor, nn
from torch.nn import functional

from classifier.config import TrainConfig
from classifier.portable import Exported

OPSET = 18
PICTURES = 2  # of the trial run that is recorded; one would be taken for "always one"
ATEN = torch.ops.aten
CHATTERERS = ("torch.onnx", "onnx_ir", "onnxscript")  # of torchvision, of constants that are one


def onnx_bytes(
    network: nn.Module, config: TrainConfig, *, temperature: float, metadata: Mapping[str, str]
) -> bytes:
    """The file: the same for the same network, checked by onnx itself.

    ``temperature`` divides the logits, ``metadata`` becomes the model's metadata_props. Raises
    RuntimeError for a network that cannot be exported.
    """
    side = config.image_size
    pixels = torch.zeros(PICTURES, side, side, config.channels, dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            Exported(network, temperature).eval(),
            (pixels,),
            input_names=["pixels"],
            output_names=["probabilities", "logits"],
            dynamic_shapes=({0: torch.export.Dim("pictures")},),
            custom_translation_table=TRANSLATIONS,
            opset_version=OPSET,
            external_data=False,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch has exported nothing")
    model = program.model_proto
    _forget_how_it_was_made(model)
    onnx.helper.set_model_props(model, dict(metadata))
    model.producer_name, model.producer_version = "LabelHub", ""
    _check(model)
    return bytes(model.SerializeToString(deterministic=True))


def _resize_by_matrices(mode: str) -> Callable[..., Any]:
    """ONNX for torch's antialiased resize: a matrix for the rows and one for the columns.

    ONNX has an operator for it, which few runtimes can do and which in onnxruntime differs by up to
    0.007 of 255 at 224 pixels; matrices are within 0.0001, and every runtime can multiply.
    """

    def translated(
        pixels: Any,
        output_size: list[int],
        align_corners: bool,  # noqa: FBT001  the operator's own signature
        scales_h: float | None = None,
        scales_w: float | None = None,
    ) -> Any:
        if align_corners or scales_h is not None or scales_w is not None:
            raise NotImplementedError("a resize that is not given by its size alone")
        (high, wide), (new_high, new_wide) = pixels.shape[2:], output_size
        rows = _constant(_weights(int(high), int(new_high), mode))
        columns = _constant(_weights(int(wide), int(new_wide), mode).T)
        return operators.MatMul(operators.MatMul(rows, pixels), columns)

    return translated


def _weights(side: int, new_side: int, mode: str) -> Tensor:
    """(new_side, side) how much each old pixel counts in each new one."""
    return functional.interpolate(
        torch.eye(side)[None, None], size=(new_side, side), mode=mode, antialias=True
    )[0, 0]


def _constant(values: Tensor) -> Any:
    return operators.Constant(value=numpy_helper.from_array(values.contiguous().numpy()))


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    ATEN._upsample_bicubic2d_aa.default: _resize_by_matrices("bicubic"),  # noqa: SLF001
    ATEN._upsample_bilinear2d_aa.default: _resize_by_matrices("bilinear"),  # noqa: SLF001
}


def _check(model: ModelProto) -> None:
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        raise RuntimeError(f"torch has exported what is no ONNX: {error}") from error


def _forget_how_it_was_made(model: ModelProto) -> None:
    """Drop the exporter's notes: names of this machine's folders, and most of the text."""
    graph = model.graph
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for weights in graph.initializer:
        weights.ClearField("metadata_props")
        weights.ClearField("doc_string")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what the exporter says about itself; it raises what matters."""
    loggers = [logging.getLogger(name) for name in CHATTERERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
