# MaKD: EfficientNet-B0 on FGVC-Aircraft also answers 50 questions. Paper, Table 1: 84.88 % top-1 (baseline 84.16 %).
# python tools/train.py configs/makd/efficientnet_b0_fgvc_aircraft.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/fgvc_aircraft_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
