# DKD on regions as mdistiller sets it for detection: alpha 1, beta 0.25, temperature 1, no warm-up.
distill_loss = dict(type='makd.DKDLoss', alpha=1.0, beta=0.25, temperature=1.0)
