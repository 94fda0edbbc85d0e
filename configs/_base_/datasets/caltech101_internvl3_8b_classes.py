# Caltech-101 with InternVL3-8B's zero-shot class probabilities, the teacher of the paper's Table 7.
# python tools/annotate.py configs/annotate/internvl3_8b_caltech101_classes.py
_base_ = ['./caltech101.py']

load_teacher_logits = dict(
    type='makd.LoadTeacherLogits',
    targets='data/caltech101/aspects/internvl3_8b_classes',
    data_root='data/caltech101',
)
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_teacher_logits]))
