# DKD between detectors on COCO, as in mdistiller: ResNet-101 teaches ResNet-18.
# bash tools/dist_train.sh configs/dkd/faster_rcnn_r18-r101_fpn_coco.py 8
# On one GPU: python tools/train.py configs/dkd/faster_rcnn_r18-r101_fpn_coco.py --auto-scale-lr
_base_ = [
    '../baseline/faster_rcnn_r18_fpn_coco.py',
    '../_base_/distill/faster_rcnn_r101_fpn_coco.py',
    '../_base_/distill/dkd_detection.py',
]

model = dict(type='makd.DistillFasterRCNN', **_base_.distill, **_base_.teacher)
