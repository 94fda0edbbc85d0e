# MaKD: ResNet-18 on OxfordPets also answers 50 questions. Paper, Table 1: 82.24 % top-1 (baseline 77.07 %).
# python tools/train.py configs/makd/resnet18_oxford_pets.py
_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/datasets/oxford_pets_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
