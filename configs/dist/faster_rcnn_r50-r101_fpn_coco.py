# DIST between detectors on COCO: ResNet-101 teaches ResNet-50. (The authors' teacher is a Cascade Mask R-CNN.)
# bash tools/dist_train.sh configs/dist/faster_rcnn_r50-r101_fpn_coco.py 8
# On one GPU: python tools/train.py configs/dist/faster_rcnn_r50-r101_fpn_coco.py --auto-scale-lr
_base_ = [
    '../baseline/faster_rcnn_r50_fpn_coco.py',
    '../_base_/distill/faster_rcnn_r101_fpn_coco.py',
    '../_base_/distill/dist_detection.py',
]

model = dict(type='makd.DistillFasterRCNN', **_base_.distill, **_base_.teacher)
