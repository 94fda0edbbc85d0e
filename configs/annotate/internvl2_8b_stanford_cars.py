# StanfordCars, training and test, answered by InternVL2-8B, the paper's MLLM, on a server.
# python tools/annotate.py configs/annotate/internvl2_8b_stanford_cars.py
# The questions come from tools/write_questions.py, or are written by hand.
_base_ = [
    '../_base_/annotate.py',
    '../_base_/annotators/internvl2_8b_server.py',
    '../_base_/datasets/stanford_cars_annotate.py',
]

model = dict(questions='data/stanford_cars/aspects/questions.json', top=50)
writer = dict(out_dir='data/stanford_cars/aspects/internvl2_8b')
