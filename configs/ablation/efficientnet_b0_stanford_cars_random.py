# EfficientNet-B0 on StanfordCars, Gaussian logits in place of the MLLM's answers. Paper, Table 2: 86.65 % top-1.
# python tools/train.py configs/ablation/efficientnet_b0_stanford_cars_random.py
_base_ = ['../makd/efficientnet_b0_stanford_cars.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='random'))
