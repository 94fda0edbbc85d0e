# DKD on regions with mdistiller's settings for detection: alpha 1, beta 0.25, temperature 1, no warm-up.
distill_loss = dict(type='makd.DKDLoss', alpha=1.0, beta=0.25, temperature=1.0)
distill = dict(distill_loss=distill_loss, roi_head=dict(type='makd.DistillRoIHead'))
