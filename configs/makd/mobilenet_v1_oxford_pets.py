# MaKD: MobileNet-V1 on OxfordPets also answers 50 questions. Paper, Table 1: 82.75 % top-1 (baseline 78.12 %).
# python tools/train.py configs/makd/mobilenet_v1_oxford_pets.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/oxford_pets_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
