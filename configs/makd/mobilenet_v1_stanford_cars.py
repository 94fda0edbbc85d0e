# MaKD: MobileNet-V1 on StanfordCars also answers 50 questions. Paper, Table 1: 85.43 % top-1 (baseline 82.84 %).
# python tools/train.py configs/makd/mobilenet_v1_stanford_cars.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/stanford_cars_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
