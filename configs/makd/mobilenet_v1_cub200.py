# MaKD: MobileNet-V1 on CUB-200-2011 also answers 50 questions. Paper, Table 1: 63.41 % top-1 (baseline 58.85 %).
# python tools/train.py configs/makd/mobilenet_v1_cub200.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/cub200_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
