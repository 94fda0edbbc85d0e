# MaKD: ResNet-18 on FGVC-Aircraft also answers 50 questions. Paper, Table 1: 74.33 % top-1 (baseline 71.76 %).
# python tools/train.py configs/makd/resnet18_fgvc_aircraft.py
_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/datasets/fgvc_aircraft_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
