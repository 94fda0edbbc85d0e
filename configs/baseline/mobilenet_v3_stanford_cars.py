# MobileNet-V3-Large on StanfordCars, from scratch.
# python tools/train.py configs/baseline/mobilenet_v3_stanford_cars.py
_base_ = [
    '../_base_/models/mobilenet_v3.py',
    '../_base_/datasets/stanford_cars.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
