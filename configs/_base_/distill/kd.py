# KD with mdistiller's settings, which the paper's Table 4 follows: temperature 4, KD weight 0.9, cross-entropy weight
# 0.1.
distill_loss = dict(type='makd.KDLoss', temperature=4.0, loss_weight=0.9)
class_loss = dict(type='CrossEntropyLoss', loss_weight=0.1)
distill = dict(distill_loss=distill_loss, head=dict(loss=class_loss))
