"""Let torchvision stand in for mmcv's compiled operators where mmcv was installed without them.

``pip install onedl-mmcv`` does not build the C++ extension ``mmcv._ext``, without which ``import mmdet.models`` fails.
:func:`install` appends a finder to ``sys.meta_path``. It is the last one, so an extension that was compiled is found
first. The stand-in computes the operators of Faster R-CNN and RetinaNet with torchvision: ``nms``, average
``roi_align`` and ``sigmoid_focal_loss``. Any other operator can be imported, and raises :class:`MissingOperatorError`
when it is called.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn

from makd.errors import MakdError

if TYPE_CHECKING:
    from torch import Tensor

EXTENSION = 'mmcv._ext'
AVERAGE_POOLING = 1  # mmcv's code for pool_mode='avg'; 0 is 'max'
# Modules of mmdet that can be imported without the extension, and the operator for which they then have a placeholder.
PLACEHOLDERS = {
    'mmdet.structures.mask.structures': 'roi_align',
    'mmdet.evaluation.metrics.dump_odvg_results': 'batched_nms',
    'mmdet.utils.large_image': 'batched_nms',
    'mmdet.apis.inference': 'RoIPool',
}


class MissingOperatorError(MakdError):
    """A compiled operator of mmcv was called for which torchvision cannot stand in."""

    def __init__(self, operator: str) -> None:
        super().__init__(
            f'{operator!r} is a compiled operator, and mmcv was installed without its compiled operators; torchvision '
            'stands in only for nms, average roi_align and sigmoid_focal_loss. Choose a model or setting that does not '
            'need this operator, or compile mmcv, which needs a C++ compiler (for CUDA also nvcc) and a torch that '
            'still accepts C++17 (2.14 does not): '
            'pip install --no-build-isolation --no-deps --force-reinstall --no-binary onedl-mmcv onedl-mmcv'
        )


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, offset: int) -> Tensor:
    """Return the indices (M,) of the boxes kept by non-maximum suppression, by decreasing score.

    Args:
        boxes: Corners (x1, y1, x2, y2), shape (N, 4).
        scores: Shape (N,).
        iou_threshold: A box is dropped if its IoU with a better one is above this, in [0, 1].
        offset: 0 or 1; a box is ``x2 - x1 + offset`` wide and ``y2 - y1 + offset`` high.
    """
    import torch

    # torchvision has no offset. Moving the lower right corners by it has the same effect on every width, height and
    # overlap. mmcv's kernels compute in float32, and under AMP boxes and scores may differ in type.
    boxes = boxes.float()
    corners = torch.cat([boxes[:, :2], boxes[:, 2:] + offset], dim=1)
    return torch.ops.torchvision.nms(corners, scores.float(), iou_threshold)


def roi_align_forward(
    input: Tensor,
    rois: Tensor,
    output: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the averages of ``input`` over the bins of each region into ``output``.

    Args:
        input: Feature map, shape (N, C, H, W).
        rois: Index into the batch and corners (i, x1, y1, x2, y2) in image pixels, shape (K, 5).
        output: Receives the result, shape (K, C, aligned_height, aligned_width).
        argmax_y: Unused; for maximum pooling.
        argmax_x: Unused; for maximum pooling.
        aligned_height: Bins per column.
        aligned_width: Bins per row.
        spatial_scale: Feature pixels per image pixel.
        sampling_ratio: Samples per bin and axis; 0 takes as many as the bin has pixels.
        pool_mode: 1 for the average.
        aligned: Move the corners by half a feature pixel. Otherwise, a region is at least one pixel wide and high.

    Raises:
        MissingOperatorError: ``pool_mode`` is 0, the maximum, which torchvision does not have.
    """
    import torch

    _require_average(pool_mode)
    output.copy_(
        torch.ops.torchvision.roi_align(
            _at_least_float32(input),
            _at_least_float32(rois),
            spatial_scale,
            aligned_height,
            aligned_width,
            sampling_ratio,
            aligned,
        )
    )


def roi_align_backward(
    grad_output: Tensor,
    rois: Tensor,
    argmax_y: Tensor,
    argmax_x: Tensor,
    grad_input: Tensor,
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the gradient of :func:`roi_align_forward` with respect to its input into ``grad_input`` (N, C, H, W).

    ``grad_output`` is the gradient of the output, shape (K, C, aligned_height, aligned_width). The other arguments and
    errors are as in the forward pass.
    """
    import torch

    _require_average(pool_mode)
    grad_input.copy_(
        torch.ops.torchvision._roi_align_backward(
            _at_least_float32(grad_output),
            _at_least_float32(rois),
            spatial_scale,
            aligned_height,
            aligned_width,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
    )


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Write the focal loss (Lin et al., arXiv 1708.02002, Eq. 5) of each class of each row into ``output``.

    On a GPU, mmdet computes the loss with this operator; on a CPU, in plain torch.

    Args:
        input: Logits, shape (N, C).
        target: Class of each row, int64 in [0, C], shape (N,); C is background.
        weight: Must be empty.
        output: Receives the result, shape (N, C).
        gamma: Exponent of the modulating factor.
        alpha: Weight of the row's class, in [0, 1]; the other classes have 1 - alpha.

    Raises:
        MissingOperatorError: ``weight`` has class weights.
    """
    output.copy_(_focal_loss(input, target, weight, gamma, alpha))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Write the gradient of the sum of :func:`sigmoid_focal_loss_forward`'s output into ``grad_input`` (N, C)."""
    import torch

    with torch.enable_grad():
        logits = input.detach().requires_grad_()
        loss = _focal_loss(logits, target, weight, gamma, alpha).sum()
    grad_input.copy_(torch.autograd.grad(loss, logits)[0])


def get_compiler_version() -> str:
    """Return what ``collect_env`` prints as the compiler of mmcv, and as its CUDA compiler."""
    return 'none: not compiled, torchvision operators'


def install() -> None:
    """Serve ``mmcv._ext`` from this module if there is no compiled one. Further calls have no effect."""
    if _FINDER in sys.meta_path:
        return
    sys.meta_path.append(_FINDER)
    for name, operator in PLACEHOLDERS.items():
        if name in sys.modules:
            setattr(sys.modules[name], operator, getattr(importlib.import_module('mmcv.ops'), operator))


def _focal_loss(logits: Tensor, target: Tensor, weight: Tensor, gamma: float, alpha: float) -> Tensor:
    from torch.nn.functional import one_hot
    from torchvision.ops import sigmoid_focal_loss

    if weight.numel():
        raise MissingOperatorError('sigmoid_focal_loss with class weights')
    logits = _at_least_float32(logits)
    is_class = one_hot(target, logits.shape[1] + 1)[:, :-1].to(logits.dtype)
    return sigmoid_focal_loss(logits, is_class, alpha, gamma, reduction='none')


def _require_average(pool_mode: int) -> None:
    if pool_mode != AVERAGE_POOLING:
        raise MissingOperatorError("roi_align with pool_mode='max'")


def _at_least_float32(tensor: Tensor) -> Tensor:
    """Widen 16-bit types, as torchvision does under autocast: bfloat16 has no kernel, and float16 sums coarsely."""
    return tensor.float() if tensor.itemsize == 2 else tensor


def _missing(operator: str) -> Callable[..., NoReturn]:
    """Return what mmcv imports under the operator's name: a function that raises when it is called."""
    if operator.startswith('__'):  # the import system looks for __path__ and others, which must not seem to exist
        raise AttributeError(f'module {EXTENSION!r} has no attribute {operator!r}')

    def raise_missing(*args: object, **kwargs: object) -> NoReturn:
        raise MissingOperatorError(operator)

    return raise_missing


class _TorchvisionExtension(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Find and fill the module ``mmcv._ext``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != EXTENSION:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin='torchvision')

    def exec_module(self, module: ModuleType) -> None:
        import torchvision  # noqa: F401  (registers torch.ops.torchvision)

        for function in (
            nms,
            roi_align_forward,
            roi_align_backward,
            sigmoid_focal_loss_forward,
            sigmoid_focal_loss_backward,
            get_compiler_version,
        ):
            setattr(module, function.__name__, function)
        vars(module)['get_compiling_cuda_version'] = get_compiler_version
        vars(module)['__getattr__'] = _missing


_FINDER = _TorchvisionExtension()
