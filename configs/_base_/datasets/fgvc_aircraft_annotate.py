# FGVC-Aircraft, training and test, to be annotated.
_base_ = ['./fgvc_aircraft.py', './photographs_annotate.py']

images = [dict(part.dataset, _scope_='mmpretrain') for part in (_base_.train_dataloader, _base_.test_dataloader)]
dataloader = dict(dataset=dict(data_root='data/fgvc_aircraft', datasets=images))
train_dataloader = test_dataloader = test_evaluator = data_preprocessor = None
