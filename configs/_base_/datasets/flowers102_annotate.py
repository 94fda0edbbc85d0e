# 102Flowers, training and test, to be annotated.
_base_ = ['./flowers102.py', './photographs_annotate.py']

images = [dict(part.dataset, _scope_='mmpretrain') for part in (_base_.train_dataloader, _base_.test_dataloader)]
dataloader = dict(dataset=dict(data_root='data/flowers102', datasets=images))
train_dataloader = test_dataloader = test_evaluator = data_preprocessor = None
