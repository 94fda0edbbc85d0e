# Faster R-CNN with FPN on COCO: ResNet-101.
# bash tools/dist_train.sh configs/baseline/faster_rcnn_r101_fpn_coco.py 8
# On one GPU: python tools/train.py configs/baseline/faster_rcnn_r101_fpn_coco.py --auto-scale-lr
# The teacher for DKD. Its weights come from mmdet (configs/_base_/distill), or train it.
_base_ = [
    '../_base_/models/faster_rcnn_r50_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/coco_90k.py',
    '../_base_/coco_runtime.py',
]

model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101')))
