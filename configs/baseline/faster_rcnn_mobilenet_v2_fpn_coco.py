# Faster R-CNN with FPN on COCO: MobileNet-V2.
# bash tools/dist_train.sh configs/baseline/faster_rcnn_mobilenet_v2_fpn_coco.py 8
# On one GPU: python tools/train.py configs/baseline/faster_rcnn_mobilenet_v2_fpn_coco.py --auto-scale-lr
# Paper, Table 6, "Base": 29.42 AP, 49.07 AP50, 30.72 AP75.
_base_ = [
    '../_base_/models/faster_rcnn_mobilenet_v2_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/coco_180k.py',
    '../_base_/coco_runtime.py',
]

train_dataloader = dict(batch_size=1)  # on 8 GPUs
