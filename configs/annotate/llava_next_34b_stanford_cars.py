# StanfordCars, training and test, answered by LLaVA-NeXT 34B (paper, Table 3).
# python tools/annotate.py configs/annotate/llava_next_34b_stanford_cars.py
_base_ = [
    '../_base_/annotate.py',
    '../_base_/annotators/llava_next_34b.py',
    '../_base_/datasets/stanford_cars_annotate.py',
]

model = dict(questions='data/stanford_cars/aspects/questions.json', top=50)
writer = dict(out_dir='data/stanford_cars/aspects/llava_next_34b')
