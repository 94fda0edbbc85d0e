# mmdet's Faster R-CNN with FPN, with what detectron2 and so mdistiller freeze: stem, first stage, all batch norm.
_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py']

model = dict(backbone=dict(norm_cfg=dict(requires_grad=False)))
