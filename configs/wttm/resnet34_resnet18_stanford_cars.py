# WTTM: ResNet-34 teaches ResNet-18 on StanfordCars.
# python tools/train.py configs/baseline/resnet34_stanford_cars.py          # the teacher, once
# python tools/train.py configs/wttm/resnet34_resnet18_stanford_cars.py
_base_ = [
    '../baseline/resnet18_stanford_cars.py',
    '../_base_/distill/resnet34_stanford_cars.py',
    '../_base_/distill/wttm.py',
]

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
