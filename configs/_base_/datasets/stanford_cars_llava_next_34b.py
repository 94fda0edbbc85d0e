# StanfordCars with the answers of another MLLM, LLaVA-NeXT 34B, to the 50 questions (paper, Table 3).
# python tools/annotate.py configs/annotate/llava_next_34b_stanford_cars.py
_base_ = ['./stanford_cars.py']

num_aspects = 50
load_aspects = dict(
    type='makd.LoadAspectTargets', targets='data/stanford_cars/aspects/llava_next_34b', data_root='data/stanford_cars'
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, load_aspects]))
test_evaluator = [_base_.test_evaluator, dict(type='makd.AspectMetric')]
