# StanfordCars with InternVL2-8B's answers to 50 questions by another LLM, GPT-3.5 (paper, Table 3).
# python tools/annotate.py configs/annotate/internvl2_8b_stanford_cars_gpt35.py
_base_ = ['./stanford_cars.py', '../fifty_aspects.py']

aspect_targets = 'data/stanford_cars/aspects/internvl2_8b_gpt35'
load_aspects = dict(type='makd.LoadAspectTargets', targets=aspect_targets, data_root=_base_.data_root)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, load_aspects]))
test_evaluator = [_base_.test_evaluator, dict(type='makd.AspectMetric')]
