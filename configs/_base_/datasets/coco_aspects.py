# InternVL3-8B's answers to 50 questions about each COCO image (configs/annotate/internvl3_8b_coco.py). A child ends its
# pipelines with load_aspects; keys are relative to data/coco, such as train2017/000000000009.jpg.
num_aspects = 50
load_aspects = dict(type='makd.LoadAspectTargets', targets='data/coco/aspects/internvl3_8b', data_root='data/coco')
aspect_target_check = dict(type='makd.AspectTargetCheckHook')
aspect_metric = dict(type='makd.AspectMetric')
