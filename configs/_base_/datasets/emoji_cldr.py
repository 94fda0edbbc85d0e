# The emoji with the CLDR answers to 66 questions. People's annotations, the same for every picture of an emoji; not an
# MLLM's answers (data/emoji/README.md).
_base_ = ['./emoji.py']

num_aspects = 66
load_aspects = dict(type='makd.LoadAspectTargets', targets='data/emoji/aspects/cldr', data_root='data/emoji/images')

train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_aspects]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.val_dataloader.dataset.pipeline, load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, load_aspects]))
val_evaluator = [_base_.val_evaluator, dict(type='makd.AspectMetric')]
test_evaluator = val_evaluator
