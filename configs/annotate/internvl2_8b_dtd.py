# DTD, training and test, answered by InternVL2-8B, the paper's MLLM, behind a server.
# python tools/annotate.py configs/annotate/internvl2_8b_dtd.py
# The questions come from tools/write_questions.py, or are written by hand.
_base_ = ['../_base_/annotate.py', '../_base_/teachers/internvl2_8b_server.py']

model = dict(questions='data/dtd/aspects/questions.json', top=50)
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/dtd',
        datasets=[
            dict(type='mmpretrain.DTD', data_root='data/dtd', split=split, pipeline=[])
            for split in ('trainval', 'test')
        ],
    ),
)
test_evaluator = dict(out_dir='data/dtd/aspects/internvl2_8b')
