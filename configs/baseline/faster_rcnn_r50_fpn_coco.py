# Faster R-CNN with FPN on COCO: ResNet-50.
# bash tools/dist_train.sh configs/baseline/faster_rcnn_r50_fpn_coco.py 8
# On one GPU: python tools/train.py configs/baseline/faster_rcnn_r50_fpn_coco.py --auto-scale-lr
# Paper, Table 6, "Base": 38.06 AP, 58.95 AP50, 41.22 AP75.
_base_ = [
    '../_base_/models/faster_rcnn_r50_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/coco_90k.py',
    '../_base_/coco_runtime.py',
]
