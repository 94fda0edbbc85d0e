# KD as mdistiller sets it, which the paper's Table 4 follows: temperature 4, KD weight 0.9, cross-entropy weight 0.1.
distill_loss = dict(type='makd.KDLoss', temperature=4.0, loss_weight=0.9)
class_loss = dict(type='CrossEntropyLoss', loss_weight=0.1)
