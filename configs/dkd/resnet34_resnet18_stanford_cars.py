# DKD: ResNet-34 teaches ResNet-18 on StanfordCars. Paper, Table 4: 82.55 % top-1.
# python tools/train.py configs/baseline/resnet34_stanford_cars.py          # the teacher, once
# python tools/train.py configs/dkd/resnet34_resnet18_stanford_cars.py
_base_ = [
    '../baseline/resnet18_stanford_cars.py',
    '../_base_/distill/resnet34_stanford_cars.py',
    '../_base_/distill/dkd.py',
]

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
default_hooks = dict(distill_warmup=dict(_base_.distill_warmup, warmup_epochs=20))
