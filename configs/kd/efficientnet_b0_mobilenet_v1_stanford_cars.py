# KD: EfficientNet-B0 teaches MobileNet-V1 on StanfordCars. Paper, Table 4: 85.11 % top-1.
# python tools/train.py configs/baseline/efficientnet_b0_stanford_cars.py          # the teacher, once
# python tools/train.py configs/kd/efficientnet_b0_mobilenet_v1_stanford_cars.py
_base_ = [
    '../baseline/mobilenet_v1_stanford_cars.py',
    '../_base_/distill/efficientnet_b0_stanford_cars.py',
    '../_base_/distill/kd.py',
]

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
