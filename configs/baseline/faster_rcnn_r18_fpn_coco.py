# Faster R-CNN with FPN on COCO: ResNet-18.
# bash tools/dist_train.sh configs/baseline/faster_rcnn_r18_fpn_coco.py 8
# On one GPU: python tools/train.py configs/baseline/faster_rcnn_r18_fpn_coco.py --auto-scale-lr
# Paper, Table 6, "Base": 33.18 AP, 53.54 AP50, 35.31 AP75.
_base_ = [
    '../_base_/models/faster_rcnn_r18_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/coco_90k.py',
    '../_base_/coco_runtime.py',
]
