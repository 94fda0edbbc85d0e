# DKD with mdistiller's settings, which the paper's Table 4 follows: alpha 1, beta 8, temperature 4, cross-entropy
# weight 1, and a warm-up over the first twelfth of the epochs (20 of 240).
distill_loss = dict(type='makd.DKDLoss', alpha=1.0, beta=8.0, temperature=4.0)
distill = dict(distill_loss=distill_loss)
distill_warmup = dict(type='makd.DistillWarmupHook', warmup_epochs=3)
