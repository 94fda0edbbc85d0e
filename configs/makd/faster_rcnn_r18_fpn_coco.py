# MaKD in Faster R-CNN with FPN on COCO: ResNet-18 and a branch that answers 50 questions.
# python tools/prepare_dataset.py coco && bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco.py 8
# bash tools/dist_train.sh configs/makd/faster_rcnn_r18_fpn_coco.py 8
# On one GPU: python tools/train.py configs/makd/faster_rcnn_r18_fpn_coco.py --auto-scale-lr
# Paper, Table 6, "Ours": 33.58 AP, 54.09 AP50, 35.97 AP75.
_base_ = ['../baseline/faster_rcnn_r18_fpn_coco.py', '../_base_/datasets/coco_aspects.py']

model = dict(
    type='makd.MaKDFasterRCNN',
    aspect_head=dict(type='makd.AspectHead', num_aspects=_base_.num_aspects, in_channels=512),
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, _base_.load_aspects]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.val_dataloader.dataset.pipeline, _base_.load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, _base_.load_aspects]))
val_evaluator = [_base_.val_evaluator, _base_.aspect_metric]
test_evaluator = [_base_.test_evaluator, _base_.aspect_metric]
default_hooks = dict(aspect_target_check=_base_.aspect_target_check)
