# The emoji with CLDR's answers to 66 questions: written by people, the same for every image of an emoji, and not by an
# MLLM (data/emoji/README.md).
_base_ = ['./emoji.py']

num_aspects = 66
# alpha is the best of 1, 4 and 16 for ResNet-18 on the validation styles (seeds 0 and 1); the paper's code has 4.
aspects = dict(num_aspects=num_aspects, aspect_loss=dict(type='makd.MaKDLoss', loss_weight=16.0))
load_aspects = dict(type='makd.LoadAspectTargets', targets='data/emoji/aspects/cldr', data_root='data/emoji/images')

train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_aspects]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.val_dataloader.dataset.pipeline, load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, load_aspects]))
val_evaluator = [_base_.val_evaluator, dict(type='makd.AspectMetric')]
test_evaluator = val_evaluator
