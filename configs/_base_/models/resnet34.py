# ResNet-34 (He et al., CVPR 2016).
_base_ = ['mmpretrain::_base_/models/resnet34.py']

# ImageNet's weights: --cfg-options load_from=pretrained
pretrained = 'https://mmassets.onedl.ai/mmclassification/v0/resnet/resnet34_8xb32_in1k_20210831-f257d4e6.pth'
