# StanfordCars with the answers of another MLLM, LLaVA-NeXT 34B, to the 50 questions (paper, Table 3).
# python tools/annotate.py configs/annotate/llava_next_34b_stanford_cars.py
_base_ = ['./stanford_cars.py', '../fifty_aspects.py']

aspect_targets = 'data/stanford_cars/aspects/llava_next_34b'
load_aspects = dict(type='makd.LoadAspectTargets', targets=aspect_targets, data_root=_base_.data_root)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, load_aspects]))
test_evaluator = [_base_.test_evaluator, dict(type='makd.AspectMetric')]
