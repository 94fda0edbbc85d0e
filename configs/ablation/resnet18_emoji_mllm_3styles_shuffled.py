# The control for configs/makd/resnet18_emoji_mllm_3styles.py: each class learns the MLLM's answers about another class.
# make annotate && python tools/train.py configs/ablation/resnet18_emoji_mllm_3styles_shuffled.py
_base_ = ['../makd/resnet18_emoji_mllm_3styles.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='shuffled'))
