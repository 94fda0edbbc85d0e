# EfficientNet-B0 (Tan and Le, ICML 2019).
_base_ = ['mmpretrain::_base_/models/efficientnet_b0.py']

# ImageNet's weights: --cfg-options load_from=pretrained
pretrained = 'https://mmassets.onedl.ai/mmclassification/v0/efficientnet/efficientnet-b0_3rdparty_8xb32_in1k_20220119-a7e2a0b1.pth'
