# Caltech-101: InternVL3-8B's zero-shot probabilities of the 101 classes, a teacher for KD (paper, Table 7). The paper
# uses InternVL2-8B, whose checkpoint transformers does not read.
# python tools/annotate.py configs/annotate/internvl3_8b_caltech101_classes.py
_base_ = ['../_base_/annotate.py', '../_base_/annotators/internvl3_8b.py', '../_base_/datasets/caltech101_annotate.py']

annotator = {key: value for key, value in _base_.model.items() if key not in ('type', 'prompt')}
model = dict(_delete_=True, type='makd.HFClassAnnotator', classes='data/caltech101/meta/classes.txt', **annotator)
writer = dict(out_dir='data/caltech101/aspects/internvl3_8b_classes')
