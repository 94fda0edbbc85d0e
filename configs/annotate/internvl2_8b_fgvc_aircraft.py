# FGVC-Aircraft, training and test, answered by InternVL2-8B, the paper's MLLM, behind a server.
# python tools/annotate.py configs/annotate/internvl2_8b_fgvc_aircraft.py
# The questions come from tools/write_questions.py, or are written by hand.
_base_ = ['../_base_/annotate.py', '../_base_/teachers/internvl2_8b_server.py']

model = dict(questions='data/fgvc_aircraft/aspects/questions.json', top=50)
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/fgvc_aircraft',
        datasets=[
            dict(type='mmpretrain.FGVCAircraft', data_root='data/fgvc_aircraft', split=split, pipeline=[])
            for split in ('trainval', 'test')
        ],
    ),
)
test_evaluator = dict(out_dir='data/fgvc_aircraft/aspects/internvl2_8b')
