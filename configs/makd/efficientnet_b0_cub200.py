# MaKD: EfficientNet-B0 on CUB-200-2011 also answers 50 questions. Paper, Table 1: 69.32 % top-1 (baseline 66.04 %).
# python tools/train.py configs/makd/efficientnet_b0_cub200.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/cub200_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
