# COCO 2017 with InternVL3-8B's answers to 50 questions about the thing in each box, for the region head; keys such as
# train2017/000000000009.jpg#1.08,187.69,612.67,473.53.
# bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco_regions.py 8
_base_ = ['./coco_detection.py']

roi_head = dict(type='makd.MaKDRoIHead', bbox_head=dict(type='makd.MaKDShared2FCBBoxHead', num_aspects=50))
load_regions = dict(
    type='makd.LoadRegionAspects', targets='data/coco/aspects/internvl3_8b_regions', data_root='data/coco'
)
train_dataloader = dict(
    dataset=dict(pipeline=[dict(load_regions, transforms=_base_.train_dataloader.dataset.pipeline)])
)
val_dataloader = dict(dataset=dict(pipeline=[dict(load_regions, transforms=_base_.val_dataloader.dataset.pipeline)]))
test_dataloader = dict(dataset=dict(pipeline=[dict(load_regions, transforms=_base_.test_dataloader.dataset.pipeline)]))
val_evaluator = [_base_.val_evaluator, dict(type='makd.AspectMetric', about='regions')]
test_evaluator = [_base_.test_evaluator, dict(type='makd.AspectMetric', about='regions')]
