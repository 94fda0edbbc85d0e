# OxfordPets, training and test, answered by InternVL2-8B, the paper's MLLM, behind a server.
# python tools/annotate.py configs/annotate/internvl2_8b_oxford_pets.py
# The questions come from tools/write_questions.py, or are written by hand.
_base_ = ['../_base_/annotate.py', '../_base_/teachers/internvl2_8b_server.py']

model = dict(questions='data/oxford_pets/aspects/questions.json', top=50)
test_dataloader = dict(
    batch_size=4,
    num_workers=8,
    dataset=dict(
        type='makd.AnnotationImages',
        data_root='data/oxford_pets',
        datasets=[
            dict(type='mmpretrain.OxfordIIITPet', data_root='data/oxford_pets', split=split, pipeline=[])
            for split in ('trainval', 'test')
        ],
    ),
)
test_evaluator = dict(out_dir='data/oxford_pets/aspects/internvl2_8b')
