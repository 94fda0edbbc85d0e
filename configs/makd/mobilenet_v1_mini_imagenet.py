# MaKD: MobileNet-V1 on Mini-ImageNet also answers 50 questions. Paper, Table 1: 78.84 % top-1 (baseline 77.50 %).
# python tools/train.py configs/makd/mobilenet_v1_mini_imagenet.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/mini_imagenet_internvl2_8b.py',
    '../_base_/schedules/imagenet_100e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
