# KD: ResNet-34 teaches ResNet-18 on StanfordCars. Paper, Table 4: 79.62 % top-1.
# python tools/train.py configs/baseline/resnet34_stanford_cars.py          # the teacher, once
# python tools/train.py configs/kd/resnet34_resnet18_stanford_cars.py
_base_ = [
    '../baseline/resnet18_stanford_cars.py',
    '../_base_/distill/resnet34_stanford_cars.py',
    '../_base_/distill/kd.py',
]

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
