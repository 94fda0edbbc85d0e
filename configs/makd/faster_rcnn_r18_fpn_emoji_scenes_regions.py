# MaKD on the regions of EmojiScenes: the region head of the plain student answers 66 questions about the thing in each
# box. The answers are people's, those of the CLDR about the emoji.
# python tools/train.py configs/makd/faster_rcnn_r18_fpn_emoji_scenes_regions.py
_base_ = ['../baseline/faster_rcnn_r18_fpn_emoji_scenes.py']

load_regions = dict(
    type='makd.LoadRegionAspects', targets='data/emoji_scenes/aspects/things', data_root='data/emoji_scenes'
)
# alpha is the best of 1, 4 and 16 by AP50 on the validation scenes (with the MLLM's answers, 2 epochs, seeds 0 and 1;
# 16 with seed 0 only).
bbox_head = dict(
    type='makd.MaKDShared2FCBBoxHead', num_aspects=66, aspect_loss=dict(type='makd.MaKDLoss', loss_weight=1.0)
)
model = dict(roi_head=dict(type='makd.MaKDRoIHead', bbox_head=bbox_head))
train_dataloader = dict(
    dataset=dict(pipeline=[dict(load_regions, transforms=_base_.train_dataloader.dataset.pipeline)])
)
val_dataloader = dict(dataset=dict(pipeline=[dict(load_regions, transforms=_base_.val_dataloader.dataset.pipeline)]))
test_dataloader = dict(dataset=dict(pipeline=[dict(load_regions, transforms=_base_.test_dataloader.dataset.pipeline)]))
val_evaluator = [_base_.val_evaluator, dict(type='makd.AspectMetric', about='regions')]
test_evaluator = [_base_.test_evaluator, dict(type='makd.AspectMetric', about='regions')]
default_hooks = dict(aspect_target_check=dict(type='makd.AspectTargetCheckHook'))
