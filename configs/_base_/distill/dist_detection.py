# DIST on regions, with its authors' settings for detection: both relations at weight 1, temperature 1.
distill_loss = dict(type='makd.DISTLoss')
distill = dict(distill_loss=distill_loss, roi_head=dict(type='makd.DistillRoIHead'))
