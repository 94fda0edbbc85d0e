# MaKD: EfficientNet-B0 on OxfordPets also answers 50 questions. Paper, Table 1: 85.27 % top-1 (baseline 83.42 %).
# python tools/train.py configs/makd/efficientnet_b0_oxford_pets.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/oxford_pets_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
