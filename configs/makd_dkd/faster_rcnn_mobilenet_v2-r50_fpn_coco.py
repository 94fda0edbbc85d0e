# MaKD + DKD in detection on COCO: ResNet-50 teaches MobileNet-V2, which also answers 50 questions.
# bash tools/dist_train.sh configs/makd_dkd/faster_rcnn_mobilenet_v2-r50_fpn_coco.py 8
# On one GPU: python tools/train.py configs/makd_dkd/faster_rcnn_mobilenet_v2-r50_fpn_coco.py --auto-scale-lr
_base_ = [
    '../makd/faster_rcnn_mobilenet_v2_fpn_coco.py',
    '../_base_/distill/faster_rcnn_r50_fpn_coco.py',
    '../_base_/distill/dkd_detection.py',
]

model = dict(type='makd.DistillMaKDFasterRCNN', **_base_.distill, **_base_.teacher)
