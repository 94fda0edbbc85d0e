# KD of standardised logits with its authors' settings: temperature 2, KD weight 9, cross-entropy weight 0.1.
distill_loss = dict(type='makd.LSKDLoss', distill_loss=dict(type='makd.KDLoss', temperature=2.0, loss_weight=9.0))
class_loss = dict(type='CrossEntropyLoss', loss_weight=0.1)
distill = dict(distill_loss=distill_loss, head=dict(loss=class_loss))
