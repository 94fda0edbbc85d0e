# The control for configs/makd/faster_rcnn_r18_fpn_emoji_scenes.py: each scene learns the answers about another scene.
# python tools/train.py configs/ablation/faster_rcnn_r18_fpn_emoji_scenes_shuffled.py
_base_ = ['../makd/faster_rcnn_r18_fpn_emoji_scenes.py']

default_hooks = dict(ablate_aspect_targets=dict(type='makd.AblateAspectTargetsHook', kind='shuffled'))
