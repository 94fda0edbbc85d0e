# The teacher of the paper's Table 7: InternVL3-8B's zero-shot class probabilities on Caltech-101.
# python tools/annotate.py configs/annotate/internvl3_8b_caltech101_classes.py
_base_ = ['./stored_logits.py']

load_teacher_logits = dict(targets='data/caltech101/aspects/internvl3_8b_classes', data_root='data/caltech101')
