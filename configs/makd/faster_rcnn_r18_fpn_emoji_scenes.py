# MaKD on EmojiScenes: the plain student and a branch that answers 41 questions about the scene.
# python tools/train.py configs/makd/faster_rcnn_r18_fpn_emoji_scenes.py
_base_ = ['../baseline/faster_rcnn_r18_fpn_emoji_scenes.py']

load_aspects = dict(
    type='makd.LoadAspectTargets', targets='data/emoji_scenes/aspects/description', data_root='data/emoji_scenes'
)
model = dict(type='makd.MaKDFasterRCNN', aspect_head=dict(type='makd.AspectHead', num_aspects=41, in_channels=256))
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_aspects]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.val_dataloader.dataset.pipeline, load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, load_aspects]))
val_evaluator = [_base_.val_evaluator, dict(type='makd.AspectMetric')]
test_evaluator = [_base_.test_evaluator, dict(type='makd.AspectMetric')]
default_hooks = dict(aspect_target_check=dict(type='makd.AspectTargetCheckHook'))
