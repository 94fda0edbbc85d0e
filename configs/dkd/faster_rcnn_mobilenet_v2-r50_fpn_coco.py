# DKD between detectors on COCO, as mdistiller's: ResNet-50 teaches MobileNet-V2.
# bash tools/dist_train.sh configs/dkd/faster_rcnn_mobilenet_v2-r50_fpn_coco.py 8
# On one GPU: python tools/train.py configs/dkd/faster_rcnn_mobilenet_v2-r50_fpn_coco.py --auto-scale-lr
_base_ = [
    '../baseline/faster_rcnn_mobilenet_v2_fpn_coco.py',
    '../_base_/distill/faster_rcnn_r50_fpn_coco.py',
    '../_base_/distill/dkd_detection.py',
]

model = dict(
    type='makd.DistillFasterRCNN',
    roi_head=dict(type='makd.DistillRoIHead'),
    distill_loss=_base_.distill_loss,
    **_base_.teacher,
)
