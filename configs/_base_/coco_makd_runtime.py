# coco_runtime.py for a MaKD student: before training, its targets and its head are checked against each other.
_base_ = ['./coco_runtime.py']

default_hooks = dict(aspect_target_check=dict(type='makd.AspectTargetCheckHook'))
