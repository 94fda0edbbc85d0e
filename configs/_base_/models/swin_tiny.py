# Swin-T (Liu et al., ICCV 2021).
_base_ = ['mmpretrain::_base_/models/swin_transformer/tiny_224.py']

# Cross-entropy and no mixing of images, as for the paper's students.
model = dict(head=dict(loss=dict(_delete_=True, type='CrossEntropyLoss', loss_weight=1.0)), train_cfg=None)

# ImageNet's weights: --cfg-options load_from=pretrained
pretrained = 'https://mmassets.onedl.ai/mmclassification/v0/swin-transformer/swin_tiny_224_b16x64_300e_imagenet_20210616_090925-66df6be6.pth'
