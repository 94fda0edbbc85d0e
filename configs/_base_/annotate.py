# Annotation is a run: loop, writer, logging. A config adds `model` (an annotator), `test_dataloader` and
# `test_evaluator.out_dir`. Nothing here imports mmpretrain or mmdet.
custom_imports = dict(imports=['makd'], allow_failed_imports=False)
default_scope = 'mmengine'

test_cfg = dict(type='makd.AnnotateLoop')
test_evaluator = dict(type='makd.ShardWriter', shard_size=256)

# The loop logs by itself, once a minute; checkpoints and schedules have nothing to do.
default_hooks = dict(
    timer=None,
    logger=dict(type='LoggerHook', interval=1_000_000),
    param_scheduler=None,
    checkpoint=None,
    sampler_seed=None,
)
model_wrapper_cfg = dict(type='makd.FrozenModelWrapper')
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Ranks exchange what is to be done, nothing else, and wait a week for the slowest of them.
    dist_cfg=dict(backend='gloo', timeout=7 * 24 * 3600),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends)
log_level = 'INFO'
randomness = dict(seed=0, deterministic=False)
