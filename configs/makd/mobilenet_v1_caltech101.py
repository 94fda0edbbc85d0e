# MaKD: MobileNet-V1 on Caltech-101 also answers 50 questions. Paper, Table 1: 79.14 % top-1 (baseline 76.64 %).
# python tools/train.py configs/makd/mobilenet_v1_caltech101.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/caltech101_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
