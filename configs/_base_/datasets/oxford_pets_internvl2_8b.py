# OxfordPets with InternVL2-8B's answers to 50 questions, the paper's (section 4.1).
# python tools/annotate.py configs/annotate/internvl2_8b_oxford_pets.py
_base_ = ['./oxford_pets.py', '../fifty_aspects.py']

aspect_targets = 'data/oxford_pets/aspects/internvl2_8b'
load_aspects = dict(type='makd.LoadAspectTargets', targets=aspect_targets, data_root=_base_.data_root)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_aspects]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_dataloader.dataset.pipeline, load_aspects]))
test_evaluator = [_base_.test_evaluator, dict(type='makd.AspectMetric')]
