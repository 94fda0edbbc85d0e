# mmdet's Faster R-CNN with FPN. Stem, first stage and all batch norm are frozen, as in detectron2 and so in mdistiller.
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py']

model = dict(backbone=dict(norm_cfg=dict(requires_grad=False)))
