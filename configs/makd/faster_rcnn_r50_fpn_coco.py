# MaKD in Faster R-CNN with FPN on COCO: ResNet-50 and a branch that answers 50 questions.
# python tools/prepare_dataset.py coco && bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco.py 8
# bash tools/dist_train.sh configs/makd/faster_rcnn_r50_fpn_coco.py 8
# On one GPU: python tools/train.py configs/makd/faster_rcnn_r50_fpn_coco.py --auto-scale-lr
# Paper, Table 6, "Ours": 38.27 AP, 59.30 AP50, 41.67 AP75.
_base_ = [
    '../_base_/models/faster_rcnn_r50_fpn.py',
    '../_base_/datasets/coco_internvl3_8b.py',
    '../_base_/schedules/coco_90k.py',
    '../_base_/coco_makd_runtime.py',
]

model = dict(type='makd.MaKDFasterRCNN', aspect_head=dict(_base_.aspect_head, in_channels=2048))
