# MaKD in Faster R-CNN with FPN on COCO: ResNet-18 and a branch that answers 50 questions.
# python tools/prepare_dataset.py coco && bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco.py 8
# bash tools/dist_train.sh configs/makd/faster_rcnn_r18_fpn_coco.py 8
# On one GPU: python tools/train.py configs/makd/faster_rcnn_r18_fpn_coco.py --auto-scale-lr
# Paper, Table 6, "Ours": 33.58 AP, 54.09 AP50, 35.97 AP75.
_base_ = [
    '../_base_/models/faster_rcnn_r18_fpn.py',
    '../_base_/datasets/coco_internvl3_8b.py',
    '../_base_/schedules/coco_90k.py',
    '../_base_/coco_makd_runtime.py',
]

model = dict(type='makd.MaKDFasterRCNN', aspect_head=dict(_base_.aspect_head, in_channels=512))
