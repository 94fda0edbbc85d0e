# ResNet-34 (He et al., CVPR 2016).
_base_ = ['mmpretrain::_base_/models/resnet34.py']

# Initialised as the paper's authors have it, like torchvision's: mmpretrain zeroes the last batch norm of each block
# and draws the classifier with a standard deviation of 0.01.
model = dict(backbone=dict(zero_init_residual=False), head=dict(init_cfg=None))

# ImageNet's weights: --cfg-options load_from=pretrained
pretrained = 'https://mmassets.onedl.ai/mmclassification/v0/resnet/resnet34_8xb32_in1k_20210831-f257d4e6.pth'
