# ResNet-34 on StanfordCars, each class learns the answers about another class (not in the paper).
# python tools/train.py configs/ablation/resnet34_stanford_cars_shuffled.py
_base_ = ['../makd/resnet34_stanford_cars.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='shuffled'))
