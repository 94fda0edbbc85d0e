# ResNet-18 (He et al., CVPR 2016).
_base_ = ['mmpretrain::_base_/models/resnet18.py']

# ImageNet's weights: --cfg-options load_from=pretrained
pretrained = 'https://mmassets.onedl.ai/mmclassification/v0/resnet/resnet18_8xb32_in1k_20210831-fbbb1da6.pth'
