# MaKD at the region head of Faster R-CNN with FPN on COCO: ResNet-18, and 50 questions about the thing in each box.
# python tools/prepare_dataset.py coco && bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco_regions.py 8
# bash tools/dist_train.sh configs/makd/faster_rcnn_r18_fpn_coco_regions.py 8
# On one GPU: python tools/train.py configs/makd/faster_rcnn_r18_fpn_coco_regions.py --auto-scale-lr
# On 1, 5 or 10 % of the images: --cfg-options train_dataloader.fraction=0.01
_base_ = [
    '../_base_/models/faster_rcnn_r18_fpn.py',
    '../_base_/datasets/coco_internvl3_8b_regions.py',
    '../_base_/schedules/coco_90k.py',
    '../_base_/coco_makd_runtime.py',
]

model = dict(roi_head=_base_.roi_head)
