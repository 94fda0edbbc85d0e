# COCO 2017 with InternVL3-8B's answers to 50 questions per image; keys such as train2017/000000000009.jpg.
# bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco.py 8
_base_ = ['./coco_detection.py']

num_aspects = 50
aspect_head = dict(type='makd.AspectHead', num_aspects=num_aspects)  # a child adds in_channels
load_aspects = dict(type='makd.LoadAspectTargets', targets='data/coco/aspects/internvl3_8b', data_root='data/coco')
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_aspects]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.val_dataloader.dataset.pipeline, load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, load_aspects]))
val_evaluator = [_base_.val_evaluator, dict(type='makd.AspectMetric')]
test_evaluator = [_base_.test_evaluator, dict(type='makd.AspectMetric')]
