# MaKD: ResNet-34 on Mini-ImageNet also answers 50 questions. Paper, Table 1: 78.65 % top-1 (baseline 77.47 %).
# python tools/train.py configs/makd/resnet34_mini_imagenet.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/mini_imagenet_internvl2_8b.py',
    '../_base_/schedules/imagenet_100e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
