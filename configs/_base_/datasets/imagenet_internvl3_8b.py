# ImageNet-1k with InternVL3-8B's answers to 50 questions.
# bash tools/dist_annotate.sh configs/annotate/internvl3_8b_imagenet.py 8
_base_ = ['./imagenet.py', '../fifty_aspects.py']

aspect_targets = 'data/imagenet/aspects/internvl3_8b'
load_aspects = dict(type='makd.LoadAspectTargets', targets=aspect_targets, data_root=_base_.data_root)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, load_aspects]))
test_evaluator = [_base_.test_evaluator, dict(type='makd.AspectMetric')]
