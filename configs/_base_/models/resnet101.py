# ResNet-101 (He et al., CVPR 2016).
_base_ = ['mmpretrain::_base_/models/resnet101.py']

# ImageNet's weights: --cfg-options load_from=pretrained
pretrained = 'https://mmassets.onedl.ai/mmclassification/v0/resnet/resnet101_8xb32_in1k_20210831-539c63f8.pth'
