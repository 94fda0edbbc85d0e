# Annotation is a run of makd.AnnotationRunner. A config adds `model` (an annotator), `dataloader` (the images) and
# `writer.out_dir` (the targets folder). Nothing here imports mmpretrain or mmdet.
custom_imports = dict(imports=['makd'], allow_failed_imports=False)
default_scope = 'mmengine'

runner_type = 'makd.AnnotationRunner'
writer = dict(type='makd.ShardWriter', shard_size=256)
# Read with --launcher ray only, see makd.RayPool.
ray = dict(type='makd.RayPool', num_actors=None, num_gpus=None, num_cpus=1, address=None)

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Ranks exchange only what is left to do, and wait up to a week for the slowest of them.
    dist_cfg=dict(backend='gloo', timeout=7 * 24 * 3600),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='Visualizer', vis_backends=vis_backends)
log_level = 'INFO'
randomness = dict(seed=0, deterministic=False)
