# MaKD: EfficientNet-B0 on Mini-ImageNet also answers 50 questions. Paper, Table 1: 75.07 % top-1 (baseline 73.05 %).
# python tools/train.py configs/makd/efficientnet_b0_mini_imagenet.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/mini_imagenet_internvl2_8b.py',
    '../_base_/schedules/imagenet_100e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
