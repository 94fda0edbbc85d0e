# MaKD: EfficientNet-B0 on StanfordCars, answers by LLaVA-NeXT 34B. Paper, Table 3: 87.49 % top-1.
# python tools/train.py configs/ablation/efficientnet_b0_stanford_cars_llava_next_34b.py
_base_ = [
    '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/stanford_cars_llava_next_34b.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/makd_runtime.py',
]

model = dict(head=dict(type='makd.MaKDLinearClsHead', num_classes=_base_.num_classes, **_base_.aspects))
