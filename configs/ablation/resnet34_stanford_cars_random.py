# ResNet-34 on StanfordCars, Gaussian logits in place of the MLLM's answers. Paper, Table 2: 81.04 % top-1.
# python tools/train.py configs/ablation/resnet34_stanford_cars_random.py
_base_ = ['../makd/resnet34_stanford_cars.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='random'))
