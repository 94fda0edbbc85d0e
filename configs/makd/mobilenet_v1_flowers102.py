# MaKD: MobileNet-V1 on 102Flowers also answers 50 questions. Paper, Table 1: 95.56 % top-1 (baseline 94.14 %).
# python tools/train.py configs/makd/mobilenet_v1_flowers102.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/flowers102_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
