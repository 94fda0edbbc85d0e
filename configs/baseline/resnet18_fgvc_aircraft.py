# ResNet-18 on FGVC-Aircraft, from scratch. Paper, Table 1: 71.76 % top-1.
# python tools/train.py configs/baseline/resnet18_fgvc_aircraft.py
_base_ = [
    '../_base_/models/resnet18.py',
    '../_base_/datasets/fgvc_aircraft.py',
    '../_base_/schedules/paper_240e.py',
    '../_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=_base_.num_classes))
