# MobileNet-V1 on StanfordCars, Gaussian logits in place of the MLLM's answers. Paper, Table 2: 83.39 % top-1.
# python tools/train.py configs/ablation/mobilenet_v1_stanford_cars_random.py
_base_ = ['../makd/mobilenet_v1_stanford_cars.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='random'))
