# MaKD + KD: EfficientNet-B0 teaches MobileNet-V1 on StanfordCars. Paper, Table 4: 86.34 % top-1.
# python tools/train.py configs/baseline/efficientnet_b0_stanford_cars.py          # the teacher, once
# python tools/train.py configs/makd_kd/efficientnet_b0_mobilenet_v1_stanford_cars.py
_base_ = [
    '../makd/mobilenet_v1_stanford_cars.py',
    '../_base_/distill/efficientnet_b0_stanford_cars.py',
    '../_base_/distill/kd.py',
]

model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)
