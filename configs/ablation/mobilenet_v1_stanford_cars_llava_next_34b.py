# MaKD: MobileNet-V1 on StanfordCars, answers by LLaVA-NeXT 34B. Paper, Table 3: 85.24 % top-1.
# python tools/train.py configs/ablation/mobilenet_v1_stanford_cars_llava_next_34b.py
_base_ = [
    '../_base_/models/mobilenet_v1.py',
    '../_base_/datasets/stanford_cars_llava_next_34b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
