# MaKD: EfficientNet-B0 on 102Flowers also answers 50 questions. Paper, Table 1: 96.78 % top-1 (baseline 95.86 %).
# python tools/train.py configs/makd/efficientnet_b0_flowers102.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/flowers102_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
