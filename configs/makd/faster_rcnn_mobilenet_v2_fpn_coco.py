# MaKD in Faster R-CNN with FPN on COCO: MobileNet-V2 and a branch that answers 50 questions.
# python tools/prepare_dataset.py coco && bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco.py 8
# bash tools/dist_train.sh configs/makd/faster_rcnn_mobilenet_v2_fpn_coco.py 8
# On one GPU: python tools/train.py configs/makd/faster_rcnn_mobilenet_v2_fpn_coco.py --auto-scale-lr
# Paper, Table 6, "Ours": 29.65 AP, 49.49 AP50, 31.02 AP75.
_base_ = [
    '../_base_/models/faster_rcnn_mobilenet_v2_fpn.py',
    '../_base_/datasets/coco_internvl3_8b.py',
    '../_base_/schedules/coco_180k.py',
    '../_base_/coco_makd_runtime.py',
]

model = dict(type='makd.MaKDFasterRCNN', aspect_head=dict(_base_.aspect_head, in_channels=320))
train_dataloader = dict(batch_size=1)  # on 8 GPUs
