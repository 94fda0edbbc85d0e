"""What stands in for DistributedDataParallel around a model that learns nothing."""

from typing import Any

from torch import nn

from makd.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class FrozenModelWrapper(nn.Module):
    """Hold a model on this rank's device and forward to it.

    Set it as ``model_wrapper_cfg``: mmengine wraps every model of a distributed run, and DistributedDataParallel
    refuses one without a trainable parameter.

    Args:
        module: The model, which mmengine has moved to the device.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the model returns."""
        return self.module(*args, **kwargs)
