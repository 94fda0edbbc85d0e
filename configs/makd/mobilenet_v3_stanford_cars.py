# MaKD: MobileNet-V3-Large on StanfordCars also answers 50 questions.
# python tools/train.py configs/makd/mobilenet_v3_stanford_cars.py
_base_ = [
    '../_base_/models/mobilenet_v3.py',
    '../_base_/datasets/stanford_cars_internvl2_8b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDStackedLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
