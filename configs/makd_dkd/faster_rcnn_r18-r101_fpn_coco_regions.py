# MaKD on regions + DKD on COCO: ResNet-101 teaches ResNet-18, whose region head answers 50 questions about each box.
# bash tools/dist_train.sh configs/makd_dkd/faster_rcnn_r18-r101_fpn_coco_regions.py 8
# On one GPU: python tools/train.py configs/makd_dkd/faster_rcnn_r18-r101_fpn_coco_regions.py --auto-scale-lr
_base_ = [
    '../makd/faster_rcnn_r18_fpn_coco_regions.py',
    '../_base_/distill/faster_rcnn_r101_fpn_coco.py',
    '../_base_/distill/dkd_detection.py',
]

model = dict(type='makd.DistillFasterRCNN', **_base_.distill, **_base_.teacher)
