# MaKD: ResNet-34 on FGVC-Aircraft also answers 50 questions. Paper, Table 1: 76.93 % top-1 (baseline 75.56 %).
# python tools/train.py configs/makd/resnet34_fgvc_aircraft.py
_base_ = [
    '../_base_/models/resnet34.py',
    '../_base_/datasets/fgvc_aircraft_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
