# Caltech-101, training and test, answered by InternVL2-8B, the paper's MLLM, behind a server.
# python tools/annotate.py configs/annotate/internvl2_8b_caltech101.py
# The questions come from tools/write_questions.py, or are written by hand.
_base_ = ['../_base_/annotate.py', '../_base_/teachers/internvl2_8b_server.py']

model = dict(questions='data/caltech101/aspects/questions.json', top=50)
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/caltech101',
        datasets=[
            dict(type='mmpretrain.Caltech101', data_root='data/caltech101', split=split, pipeline=[])
            for split in ('train', 'test')
        ],
    ),
)
test_evaluator = dict(out_dir='data/caltech101/aspects/internvl2_8b')
