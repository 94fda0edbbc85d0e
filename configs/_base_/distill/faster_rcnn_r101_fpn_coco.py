# The frozen teacher: mmdet's Faster R-CNN with FPN on ResNet-101, trained for 36 epochs (41.8 AP), the
# closest to mdistiller's.
teacher = dict(
    teacher='configs/baseline/faster_rcnn_r101_fpn_coco.py',
    teacher_checkpoint='https://download.openmmlab.com/mmdetection/v2.0/faster_rcnn/'
    'faster_rcnn_r101_fpn_mstrain_3x_coco/'
    'faster_rcnn_r101_fpn_mstrain_3x_coco_20210524_110822-4d4d2ca8.pth',
)
