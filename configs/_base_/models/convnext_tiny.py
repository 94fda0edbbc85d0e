# ConvNeXt-T (Liu et al., CVPR 2022).
_base_ = ['mmpretrain::_base_/models/convnext/convnext-tiny.py']

# Cross-entropy and no mixing of images, as for the paper's students.
model = dict(head=dict(loss=dict(_delete_=True, type='CrossEntropyLoss', loss_weight=1.0)), train_cfg=None)

# ImageNet's weights: --cfg-options load_from=pretrained
pretrained = 'https://mmassets.onedl.ai/mmclassification/v0/convnext/convnext-tiny_32xb128_in1k_20221207-998cf3e9.pth'
