# MaKD: MobileNet-V1 on FGVC-Aircraft also answers 50 questions. Paper, Table 1: 80.41 % top-1 (baseline 78.22 %).
# python tools/train.py configs/makd/mobilenet_v1_fgvc_aircraft.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/fgvc_aircraft_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
